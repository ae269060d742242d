//! The app that the vendor's marketplace knows this host by.

use secrecy::SecretString;
use url::Url;

/// The two hosts of the consent page: the vendor's own name, and the one without a name for agencies that sell under theirs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Marketplace {
    /// `marketplace.gohighlevel.com`.
    #[default]
    Standard,
    /// `marketplace.leadconnectorhq.com`.
    WhiteLabel,
}

impl Marketplace {
    /// The consent page's address. `/v2` was added on 2026-05-27; older guides show it without.
    pub fn consent_page(self) -> &'static str {
        match self {
            Self::Standard => "https://marketplace.gohighlevel.com/v2/oauth/chooselocation",
            Self::WhiteLabel => "https://marketplace.leadconnectorhq.com/v2/oauth/chooselocation",
        }
    }
}

/// Lets an agency's token be asked for the locations that have the app (the vendor's OAuth document).
pub const LIST_LOCATIONS: &str = "oauth.readonly";

/// Lets an agency's token be turned into that of one of its locations (the vendor's OAuth document).
pub const OPEN_LOCATIONS: &str = "oauth.write";

/// What the calls about an agency's locations need. A location's token has no use for them.
pub const AGENCY_SCOPES: [&str; 2] = [LIST_LOCATIONS, OPEN_LOCATIONS];

/// An app of the vendor's marketplace.
#[derive(Clone, Debug)]
pub struct OAuthApp {
    /// `<app id>-<suffix>`.
    pub client_id: String,
    /// The app's secret.
    pub client_secret: SecretString,
    /// Where the vendor sends the browser back; exactly as registered with the app.
    pub redirect_url: Url,
}

impl OAuthApp {
    /// The app's id, as webhooks and the calls about installations name it: the part before the dash.
    pub fn app_id(&self) -> &str {
        self.client_id.split_once('-').map_or(self.client_id.as_str(), |(id, _)| id)
    }

    /// The address of the page on which a person consents. `state` comes back with the code.
    pub fn consent_url(&self, page: &Url, state: &str, scopes: &[String]) -> Url {
        let mut url = page.clone();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.client_id)
            .append_pair("redirect_uri", self.redirect_url.as_str())
            .append_pair("scope", &scopes.join(" "))
            .append_pair("state", state)
            // A login that opens a window of its own loses the state in some browsers.
            .append_pair("loginWindowOpenMode", "self");
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_consent_page_is_told_everything_and_no_secret() {
        let app = OAuthApp {
            client_id: "65f0fake-abc".to_owned(),
            client_secret: "fake-client-secret".into(),
            redirect_url: "https://host.example/oauth/highlevel/callback".parse().unwrap(),
        };
        assert_eq!(app.app_id(), "65f0fake");
        for marketplace in [Marketplace::Standard, Marketplace::WhiteLabel] {
            let page = marketplace.consent_page().parse().unwrap();
            let scopes = ["contacts.readonly".to_owned(), "contacts.write".to_owned()];
            let url = app.consent_url(&page, "st&te", &scopes);
            let pairs: std::collections::HashMap<_, _> = url.query_pairs().into_owned().collect();
            assert_eq!(pairs["state"], "st&te");
            assert_eq!(pairs["scope"], "contacts.readonly contacts.write");
            assert_eq!(pairs["redirect_uri"], "https://host.example/oauth/highlevel/callback");
            assert!(!url.as_str().contains("secret"), "{url}");
        }
    }
}
