//! What a request may do: the roles of its user as they are now, narrowed by its token.

use std::collections::{BTreeMap, BTreeSet};

use contactor_store::{Bearer, Member, Role, Token, User, WorkspaceId};

/// How a token narrows its user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Narrowed {
    /// To at most this role.
    pub role: Option<Role>,
    /// To these workspaces.
    pub workspaces: Option<BTreeSet<WorkspaceId>>,
}

impl Narrowed {
    /// How this token does it.
    pub fn of(token: &Token) -> Self {
        Self { role: token.role, workspaces: token.workspaces.clone() }
    }

    fn at_most(&self, role: Role) -> Role {
        self.role.map_or(role, |most| role.min(most))
    }

    fn covers(&self, workspace: &WorkspaceId) -> bool {
        self.workspaces.as_ref().is_none_or(|these| these.contains(workspace))
    }

    /// Whether nothing is left out of `self` that `other` would let in.
    pub(crate) fn holds(&self, other: &Self) -> bool {
        let role = self.role.is_none_or(|most| other.role.is_some_and(|role| role <= most));
        let workspaces = self
            .workspaces
            .as_ref()
            .is_none_or(|these| other.workspaces.as_ref().is_some_and(|others| others.is_subset(these)));
        role && workspaces
    }
}

/// What a request may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    everywhere: Option<Role>,
    roles: BTreeMap<WorkspaceId, Role>,
    installs: bool,
}

impl Rights {
    /// Everything.
    pub fn all() -> Self {
        Self { everywhere: Some(Role::PlatformAdmin), roles: BTreeMap::new(), installs: true }
    }

    /// What a token opens.
    pub fn of(bearer: &Bearer) -> Self {
        Self::narrowed(&bearer.user, &bearer.members, &Narrowed::of(&bearer.token))
    }

    /// What a user may do who narrows nothing.
    pub fn of_user(user: &User, members: &[Member]) -> Self {
        Self::narrowed(user, members, &Narrowed::default())
    }

    fn narrowed(user: &User, members: &[Member], narrowed: &Narrowed) -> Self {
        let mut rights = Self::default();
        // Installing is a right of authors, which a workspace admin does not have: so it goes by the role that was given, and not by
        // what a token makes of it.
        let may_install = |given: Role| {
            matches!(given, Role::PlatformAdmin | Role::Author)
                && narrowed.at_most(Role::Author) == Role::Author
        };
        if user.platform_admin {
            match &narrowed.workspaces {
                None => {
                    rights.everywhere = Some(narrowed.at_most(Role::PlatformAdmin));
                    rights.installs = may_install(Role::PlatformAdmin);
                }
                // In a workspace there is no higher role than that of its admin.
                Some(these) => {
                    let role = narrowed.at_most(Role::WorkspaceAdmin);
                    rights.roles.extend(these.iter().map(|workspace| (workspace.clone(), role)));
                }
            }
        }
        for member in members.iter().filter(|member| narrowed.covers(&member.workspace)) {
            let role = narrowed.at_most(member.role);
            let present = rights.roles.entry(member.workspace.clone()).or_insert(role);
            *present = role.max(*present);
            rights.installs |= may_install(member.role);
        }
        rights
    }

    /// Whether it may do everything.
    pub fn is_platform_admin(&self) -> bool {
        self.everywhere == Some(Role::PlatformAdmin)
    }

    /// Whether it may install connectors.
    pub fn installs(&self) -> bool {
        self.installs
    }

    /// The role that counts in a workspace, which need not exist.
    pub fn role_in(&self, workspace: &WorkspaceId) -> Option<Role> {
        self.everywhere.max(self.roles.get(workspace).copied())
    }

    /// Whether it has at least this role anywhere.
    pub fn holds(&self, role: Role) -> bool {
        self.everywhere.into_iter().chain(self.roles.values().copied()).any(|held| held >= role)
    }

    /// The workspaces in which it has at least this role; `None` for all there are.
    pub fn workspaces(&self, role: Role) -> Option<Vec<WorkspaceId>> {
        if self.everywhere.is_some_and(|held| held >= role) {
            return None;
        }
        Some(self.roles.iter().filter(|(_, held)| **held >= role).map(|(id, _)| id.clone()).collect())
    }

    /// The role that counts everywhere.
    pub fn everywhere(&self) -> Option<Role> {
        self.everywhere
    }

    /// The roles in single workspaces.
    pub fn roles(&self) -> impl Iterator<Item = (&WorkspaceId, Role)> {
        self.roles.iter().map(|(id, role)| (id, *role))
    }
}

#[cfg(test)]
mod tests {
    use contactor_store::{SecretHash, TokenId, UserId};
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;

    const ROLES: [Role; 3] = [Role::Viewer, Role::Author, Role::WorkspaceAdmin];

    fn workspace(number: usize) -> WorkspaceId {
        WorkspaceId::new(format!("w{number}"))
    }

    fn bearer(platform_admin: bool, members: &[(usize, Role)], narrowed: Narrowed) -> Bearer {
        let user = UserId::new("bob");
        let at = Timestamp::UNIX_EPOCH;
        Bearer {
            token: Token {
                id: TokenId::new("00"),
                user: user.clone(),
                name: String::new(),
                hash: SecretHash([0; 32]),
                role: narrowed.role,
                workspaces: narrowed.workspaces,
                made_with: None,
                created_at: at,
                expires_at: at,
                used_at: None,
                revoked_at: None,
            },
            members: members
                .iter()
                .map(|(number, role)| Member {
                    workspace: workspace(*number),
                    user: user.clone(),
                    role: *role,
                })
                .collect(),
            user: User {
                id: user,
                name: String::new(),
                email: None,
                platform_admin,
                disabled: false,
                created_at: at,
            },
        }
    }

    fn narrowed() -> impl Strategy<Value = Narrowed> {
        let role = proptest::option::of(proptest::sample::select(vec![
            Role::Viewer,
            Role::Author,
            Role::WorkspaceAdmin,
            Role::PlatformAdmin,
        ]));
        let workspaces =
            proptest::option::of(proptest::collection::btree_set((0_usize..4).prop_map(workspace), 0..4));
        (role, workspaces).prop_map(|(role, workspaces)| Narrowed { role, workspaces })
    }

    fn members() -> impl Strategy<Value = Vec<(usize, Role)>> {
        let roles = proptest::sample::select(ROLES.to_vec());
        proptest::collection::btree_map(0_usize..4, roles, 0..4).prop_map(|map| map.into_iter().collect())
    }

    proptest! {
        #[test]
        fn a_token_opens_nothing_that_its_user_may_not_or_that_it_is_narrowed_from(
            admin in any::<bool>(), members in members(), narrowed in narrowed(),
        ) {
            let of_user = Rights::of(&bearer(admin, &members, Narrowed::default()));
            let of_token = Rights::of(&bearer(admin, &members, narrowed.clone()));
            for number in 0..5 {
                let id = workspace(number);
                let role = of_token.role_in(&id);
                prop_assert!(role <= of_user.role_in(&id));
                if let (Some(role), Some(most)) = (role, narrowed.role) {
                    prop_assert!(role <= most);
                }
                prop_assert!(role.is_none() || narrowed.covers(&id));
            }
            prop_assert!(of_user.installs() || !of_token.installs());
            prop_assert!(of_user.is_platform_admin() || !of_token.is_platform_admin());
            prop_assert!(!of_token.is_platform_admin() || narrowed.workspaces.is_none());
            for role in ROLES {
                if let Some(listed) = of_token.workspaces(role) {
                    prop_assert!(listed.iter().all(|id| of_token.role_in(id) >= Some(role)));
                }
            }
        }

        #[test]
        fn what_a_token_makes_is_no_wider(mine in narrowed(), its in narrowed(), members in members(), admin in any::<bool>()) {
            prop_assume!(mine.holds(&its));
            let of_mine = Rights::of(&bearer(admin, &members, mine));
            let of_its = Rights::of(&bearer(admin, &members, its));
            for number in 0..5 {
                prop_assert!(of_its.role_in(&workspace(number)) <= of_mine.role_in(&workspace(number)));
            }
            prop_assert!(of_mine.is_platform_admin() || !of_its.is_platform_admin());
            prop_assert!(of_mine.installs() || !of_its.installs());
        }
    }

    #[test]
    fn authors_install_and_workspace_admins_do_not_however_they_are_narrowed() {
        let installs = |admin, members: &[(usize, Role)], role| {
            let narrowed = Narrowed { role, workspaces: None };
            Rights::of(&bearer(admin, members, narrowed)).installs()
        };
        assert!(installs(false, &[(0, Role::Author)], None));
        assert!(installs(false, &[(0, Role::Author), (1, Role::WorkspaceAdmin)], Some(Role::Author)));
        assert!(!installs(false, &[(0, Role::Author)], Some(Role::Viewer)));
        assert!(!installs(false, &[(0, Role::WorkspaceAdmin)], None));
        assert!(
            !installs(false, &[(0, Role::WorkspaceAdmin)], Some(Role::Author)),
            "a narrower token is no wider"
        );
        assert!(installs(true, &[], None) && installs(true, &[], Some(Role::Author)));
        assert!(!installs(true, &[], Some(Role::Viewer)));
    }

    #[test]
    fn a_platform_admin_narrowed_to_a_workspace_decides_there_and_nowhere_else() {
        let narrowed = Narrowed { role: None, workspaces: Some([workspace(1)].into()) };
        let rights = Rights::of(&bearer(true, &[(2, Role::Viewer)], narrowed));
        assert_eq!(rights.role_in(&workspace(1)), Some(Role::WorkspaceAdmin));
        assert_eq!(rights.role_in(&workspace(2)), None);
        assert!(!rights.is_platform_admin() && !rights.installs());
        assert_eq!(rights.workspaces(Role::Viewer), Some(vec![workspace(1)]));
    }
}
