//! Tags that lead to workflows and further tags.

use std::collections::BTreeMap;

use crate::{Result, tags, workflows};

/// Starts the workflow of each tag that the contact has, by `workflows` (tag → workflow id), and adds further tags, by `further`
/// (tag → tags, separated by commas). The tag `routed: <tag>` remembers that a workflow was started, so that no later change of the
/// contact starts it again; when the tag goes, so does that one. Answers what it did, `None` when there was nothing to do.
///
/// # Errors
/// What HighLevel answers.
pub fn route(
    contact: &str,
    workflows: &BTreeMap<String, String>,
    further: &BTreeMap<String, String>,
) -> Result<Option<String>> {
    if workflows.is_empty() && further.is_empty() {
        return Ok(None);
    }
    let own = tags::list_all(contact)?;
    let has = |tag: &str| own.iter().any(|own| own.eq_ignore_ascii_case(tag.trim()));
    let (mut did, mut more, mut less) = (Vec::new(), Vec::new(), Vec::new());
    for (tag, workflow) in workflows {
        let marker = format!("routed: {}", tag.trim().to_lowercase());
        match (has(tag), has(&marker)) {
            (true, false) => {
                workflows::add(contact, workflow, None)?;
                did.push(format!("started the workflow {workflow} for the tag {tag}"));
                more.push(marker);
            }
            (false, true) => less.push(marker),
            _ => {}
        }
    }
    for (_, further) in further.iter().filter(|(tag, _)| has(tag)) {
        let new = further.split(',').map(str::trim).filter(|tag| !tag.is_empty() && !has(tag));
        more.extend(new.map(str::to_owned));
    }
    if !more.is_empty() {
        tags::add(contact, &more)?;
        did.push(format!("added the tags {}", more.join(", ")));
    }
    if !less.is_empty() {
        tags::remove(contact, &less)?;
        did.push(format!("removed the tags {}", less.join(", ")));
    }
    Ok((!did.is_empty()).then(|| did.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fields;
    use crate::testing::{MockHost, contact};

    #[test]
    fn a_tag_starts_its_workflow_once_for_each_time_that_it_comes() {
        let map = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect::<BTreeMap<_, _>>()
        };
        let (workflows, further) = (map(&[("VIP", "w1")]), map(&[("vip", "priority, news")]));
        let host = MockHost::new().contact(contact("c1", Fields::new(), &["vip", "news"])).install();
        let run = || route("c1", &workflows, &further).unwrap();
        assert!(run().unwrap().starts_with("started the workflow w1"));
        assert_eq!(host.stored_contact("c1").unwrap().tags, ["news", "priority", "routed: vip", "vip"]);
        assert_eq!(run(), None, "once");
        tags::remove("c1", &["vip".into()]).unwrap();
        assert_eq!(run().unwrap(), "removed the tags routed: vip");
        tags::add("c1", &["vip".into()]).unwrap();
        assert!(run().unwrap().contains("w1"));
        let started = host.writes().iter().filter(|write| write.starts_with("workflows.add")).count();
        assert_eq!(started, 2);
        assert_eq!(route("c1", &BTreeMap::new(), &BTreeMap::new()), Ok(None));
    }
}
