//! The registry against a real store: what AWS promises of create, update and delete, also across a restart.

use std::path::Path;

use super::*;

const PASS: &str = r#"{"StartAt":"P","States":{"P":{"Type":"Pass","End":true}}}"#;
const OTHER: &str = r#"{"StartAt":"Q","States":{"Q":{"Type":"Pass","End":true}}}"#;

/// A directory that goes away with its test.
struct Home(std::path::PathBuf);

impl Home {
    fn new(test: &str) -> Home {
        let path = std::env::temp_dir().join(format!("stepwell-machines-{test}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Home(path)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn open(path: &Path) -> (Store, Machines) {
    let store = Store::open(path).expect("opens");
    let machines = Machines::open(&store, Account::default()).expect("opens");
    (store, machines)
}

fn configurations() -> Configurations {
    Configurations { logging: "{}".into(), tracing: "{}".into(), encryption: "{}".into() }
}

fn new(name: &str, definition: &str) -> NewMachine {
    NewMachine {
        name: name.into(),
        definition: definition.into(),
        role_arn: "arn:aws:iam::000000000000:role/r".into(),
        machine_type: MachineType::Standard,
        configurations: configurations(),
        tags: vec![("a".into(), "1".into())],
        publish: None,
    }
}

fn arn(name: &str) -> String {
    format!("arn:aws:states:us-east-1:000000000000:stateMachine:{name}")
}

#[test]
fn creation_is_idempotent_on_what_matters() {
    let home = Home::new("create");
    let (_store, machines) = open(&home.0);
    let first = machines.create(new("m", PASS), 5).expect("creates");
    assert_eq!((&*first.arn, first.created_ms), (arn("m").as_str(), 5));
    let other_role =
        NewMachine { role_arn: "arn:aws:iam::0:role/x".into(), tags: Vec::new(), ..new("m", PASS) };
    assert_eq!(machines.create(other_role, 9).expect("is the same"), first);
    assert_eq!(&*machines.current(&arn("m")).expect("is there").role_arn, "arn:aws:iam::000000000000:role/r");

    let logging = Configurations { logging: "{\"level\":\"ALL\"}".into(), ..configurations() };
    for different in [
        new("m", OTHER),
        new("m", &format!("{PASS} ")),
        NewMachine { machine_type: MachineType::Express, ..new("m", PASS) },
        NewMachine { configurations: logging, ..new("m", PASS) },
    ] {
        let error = machines.create(different, 9).expect_err("differs");
        assert!(matches!(error, CreateMachineError::AlreadyExists { .. }), "{error}");
    }
    let error = machines.create(new("n", "{}"), 9).expect_err("is invalid");
    assert!(matches!(error, CreateMachineError::InvalidDefinition(_)), "{error}");
    let tags = (0..=TAGS_MAX).map(|i| (i.to_string(), String::new())).collect();
    let error = machines.create(NewMachine { tags, ..new("n", PASS) }, 9).expect_err("has too many tags");
    assert!(matches!(error, CreateMachineError::TooManyTags), "{error}");
}

#[test]
fn an_update_makes_a_revision_only_where_something_differs() {
    let home = Home::new("update");
    let (_store, machines) = open(&home.0);
    machines.create(new("m", PASS), 5).expect("creates");
    let first = machines.current(&arn("m")).expect("is there");
    assert_eq!(first.revision_id, None);

    let same = MachineUpdate { definition: Some(PASS.into()), ..MachineUpdate::default() };
    let updated = machines.update(&arn("m"), same.clone(), 6, || unreachable!()).expect("updates");
    assert_eq!((updated.revision_id, updated.revision), (None, first.key));

    let role = MachineUpdate { role_arn: Some("arn:aws:iam::0:role/x".into()), ..MachineUpdate::default() };
    let updated = machines.update(&arn("m"), role, 7, || "u1".into()).expect("updates");
    assert_eq!((updated.revision_id.as_deref(), updated.updated_ms), (Some("u1"), 7));
    assert_ne!(updated.revision, first.key);
    let second = machines.current(&arn("m")).expect("is there");
    assert!(Arc::ptr_eq(&first.program, &second.program), "the definition is not compiled again");

    let again = machines.update(&arn("m"), same, 8, || unreachable!()).expect("updates");
    assert_eq!(again.revision_id.as_deref(), Some("u1"));

    let bad = MachineUpdate { definition: Some("{}".into()), ..MachineUpdate::default() };
    let error = machines.update(&arn("m"), bad, 9, || unreachable!()).expect_err("is invalid");
    assert!(matches!(error, UpdateMachineError::InvalidDefinition(_)), "{error}");
    let error =
        machines.update(&arn("x"), MachineUpdate::default(), 9, || unreachable!()).expect_err("is absent");
    assert!(matches!(error, UpdateMachineError::DoesNotExist { .. }), "{error}");
    assert_eq!(machines.describe(&arn("m")).expect("reads").expect("is there").created_ms, 5);
    assert_eq!(machines.revision(first.key).expect("stays").definition, first.definition);
}

#[test]
fn deletion_has_two_steps_and_keeps_revisions() {
    let home = Home::new("delete");
    let (_store, machines) = open(&home.0);
    machines.create(new("m", PASS), 5).expect("creates");
    let key = machines.current(&arn("m")).expect("is there").key;
    assert!(!machines.begin_delete(&arn("x")).expect("answers"));
    machines.finish_delete(&arn("m")).expect("does nothing before the first step");
    assert!(machines.current(&arn("m")).is_some());

    assert!(machines.begin_delete(&arn("m")).expect("deletes"));
    assert!(machines.begin_delete(&arn("m")).expect("is repeatable"));
    assert!(machines.current(&arn("m")).is_none());
    assert_eq!(
        machines.describe(&arn("m")).expect("reads").expect("is there").status,
        MachineStatus::Deleting
    );
    assert_eq!(machines.deleting(), [arn("m").into()]);
    let error = machines.create(new("m", PASS), 6).expect_err("is refused");
    assert!(matches!(error, CreateMachineError::Deleting { .. }), "{error}");
    let error =
        machines.update(&arn("m"), MachineUpdate::default(), 6, || unreachable!()).expect_err("is refused");
    assert!(matches!(error, UpdateMachineError::Deleting { .. }), "{error}");

    machines.finish_delete(&arn("m")).expect("finishes");
    machines.finish_delete(&arn("m")).expect("is repeatable");
    assert!(machines.describe(&arn("m")).expect("reads").is_none());
    assert!(machines.revision(key).is_some());
    machines.create(new("m", OTHER), 7).expect("the name is free again");
    assert_ne!(machines.current(&arn("m")).expect("is there").key, key);
}

#[test]
fn everything_survives_a_restart() {
    let home = Home::new("restart");
    let (first, second, deleted);
    {
        let (_store, machines) = open(&home.0);
        machines.create(new("m", PASS), 5).expect("creates");
        first = machines.current(&arn("m")).expect("is there").key;
        let update = MachineUpdate { definition: Some(OTHER.into()), ..MachineUpdate::default() };
        second = machines.update(&arn("m"), update, 7, || "u1".into()).expect("updates").revision;
        machines.create(new("gone", PASS), 5).expect("creates");
        deleted = machines.current(&arn("gone")).expect("is there").key;
        machines.begin_delete(&arn("gone")).expect("deletes");
        machines.finish_delete(&arn("gone")).expect("deletes");
        machines.create(new("half", PASS), 5).expect("creates");
        machines.begin_delete(&arn("half")).expect("deletes");
        machines.tag(&arn("m"), vec![("b".into(), "2".into())]).expect("tags");
    }
    let (_store, machines) = open(&home.0);
    let current = machines.current(&arn("m")).expect("is there");
    assert_eq!(
        (current.key, current.revision_id.as_deref(), &*current.definition),
        (second, Some("u1"), OTHER)
    );
    assert_eq!(&*machines.revision(first).expect("is there").definition, PASS);
    assert_eq!(&*machines.revision(deleted).expect("is there").name, "gone");
    assert_eq!(machines.deleting(), [arn("half").into()]);
    assert_eq!(machines.tags(&arn("m")).expect("has tags").len(), 2);
    machines.create(new("new", PASS), 9).expect("creates");
    let newest = machines.current(&arn("new")).expect("is there").key;
    assert!(newest > second && newest > deleted, "keys are never used again");
    assert!(machines.revision(9999).is_none());
}

#[test]
fn lists_are_pages_in_order() {
    let home = Home::new("list");
    let (_store, machines) = open(&home.0);
    for name in ["c", "a", "b"] {
        machines.create(new(name, PASS), 5).expect("creates");
    }
    let names = |page: Vec<MachineSummary>| page.iter().map(|m| m.name.to_string()).collect::<Vec<_>>();
    assert_eq!(names(machines.list(None, 2)), ["a", "b"]);
    assert_eq!(names(machines.list(Some(&arn("b")), 2)), ["c"]);
    assert_eq!(names(machines.list(Some(&arn("c")), 2)), [""; 0]);
}

#[test]
fn tags_keep_their_order() {
    let home = Home::new("tags");
    let (_store, machines) = open(&home.0);
    machines.create(new("m", PASS), 5).expect("creates");
    let pairs = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<Vec<(String, String)>>()
    };
    machines.tag(&arn("m"), pairs(&[("b", "2"), ("a", "3"), ("c", "")])).expect("tags");
    assert_eq!(machines.tags(&arn("m")), Some(pairs(&[("a", "3"), ("b", "2"), ("c", "")])));
    machines.untag(&arn("m"), &["a".into(), "x".into()]).expect("untags");
    assert_eq!(machines.tags(&arn("m")), Some(pairs(&[("b", "2"), ("c", "")])));
    let many = (0..TAGS_MAX).map(|i| (i.to_string(), String::new())).collect();
    let error = machines.tag(&arn("m"), many).expect_err("are too many");
    assert!(matches!(error, TagMachineError::TooManyTags), "{error}");
    assert_eq!(machines.tags(&arn("m")).expect("has tags").len(), 2);
    let error = machines.untag(&arn("x"), &[]).expect_err("is absent");
    assert!(matches!(error, TagMachineError::DoesNotExist { .. }), "{error}");
}

fn publish() -> Option<Publication> {
    Some(Publication::default())
}

fn numbers(machines: &Machines) -> Vec<u64> {
    machines.versions(&arn("m"), None, 100).expect("is there").iter().map(|v| v.number).collect()
}

#[test]
fn versions_are_published_once_per_revision() {
    let home = Home::new("versions");
    let (_store, machines) = open(&home.0);
    let described = Some(Publication { description: Some("first".into()) });
    let with_version = NewMachine { publish: described, ..new("m", PASS) };
    let created = machines.create(with_version.clone(), 5).expect("creates");
    assert_eq!(created.version_arn.as_deref(), Some(&*arn("m:1")));
    assert_eq!(machines.create(with_version, 6).expect("is the same"), created);
    for other in [publish(), None] {
        let error = machines.create(NewMachine { publish: other, ..new("m", PASS) }, 6).expect_err("differs");
        assert!(matches!(error, CreateMachineError::AlreadyExists { .. }), "{error}");
    }
    let again = machines.publish(&arn("m"), Some("INITIAL"), Publication::default(), 7).expect("is there");
    assert_eq!((again.number, again.created_ms), (1, 5));

    let update = |definition: &str| MachineUpdate {
        definition: Some(definition.into()),
        publish: publish(),
        ..MachineUpdate::default()
    };
    let updated = machines.update(&arn("m"), update(OTHER), 8, || "u1".into()).expect("updates");
    assert_eq!(updated.version_arn.as_deref(), Some(&*arn("m:2")));
    let updated = machines.update(&arn("m"), update(OTHER), 9, || unreachable!()).expect("updates");
    assert_eq!(updated.version_arn.as_deref(), Some(&*arn("m:2")));
    let error = machines.publish(&arn("m"), Some("INITIAL"), Publication::default(), 9).expect_err("is not");
    assert!(matches!(error, PublishVersionError::OtherRevision { .. }), "{error}");

    machines.delete_version(&arn("m:2")).expect("deletes");
    machines.delete_version(&arn("m:2")).expect("is repeatable");
    assert_eq!(numbers(&machines), [1]);
    let third = machines.publish(&arn("m"), None, Publication::default(), 9).expect("publishes");
    assert_eq!(third.number, 3, "a number is never used again");
    assert_eq!(numbers(&machines), [3, 1]);
    let first = machines.version(&arn("m:1")).expect("reads").expect("is there");
    assert_eq!((&*first.revision.definition, first.description.as_deref()), (PASS, Some("first")));
    for absent in ["m", "m:2", "m:01", "m:x", "m:99999999999999999999", "x:1"] {
        assert!(machines.version(&arn(absent)).expect("reads").is_none(), "{absent}");
    }
}

#[test]
fn aliases_route_by_weight() {
    let home = Home::new("aliases");
    let (_store, machines) = open(&home.0);
    machines.create(NewMachine { publish: publish(), ..new("m", PASS) }, 5).expect("creates");
    let update =
        MachineUpdate { definition: Some(OTHER.into()), publish: publish(), ..MachineUpdate::default() };
    machines.update(&arn("m"), update, 6, || "u1".into()).expect("updates");
    let both = vec![Route { version: 1, weight: 30 }, Route { version: 2, weight: 70 }];
    let alias = |name: &str, routes: &[Route]| NewAlias {
        name: name.into(),
        description: None,
        routes: routes.to_vec(),
    };
    let prod = machines.create_alias(&arn("m"), alias("prod", &both), 7).expect("creates");
    assert_eq!(machines.create_alias(&arn("m"), alias("prod", &both), 8).expect("is the same"), prod);
    let error = machines.create_alias(&arn("m"), alias("prod", &both[..1]), 8).expect_err("differs");
    assert!(matches!(error, CreateAliasError::Differs), "{error}");
    let nowhere = [Route { version: 9, weight: 100 }];
    let error = machines.create_alias(&arn("m"), alias("a", &nowhere), 8).expect_err("leads nowhere");
    assert!(matches!(error, CreateAliasError::VersionDoesNotExist), "{error}");

    let mut started = [0; 3];
    for entropy in 0..1000 {
        let target = machines.start_target(&arn("m:prod"), entropy).expect("reads").expect("is there");
        assert_eq!(target.alias_arn.as_deref(), Some(&*arn("m:prod")));
        let version = target.version_arn.expect("has a version");
        started[usize::from(version.as_bytes()[version.len() - 1] - b'0')] += 1;
    }
    assert_eq!(started, [0, 300, 700]);
    let error = machines.delete_version(&arn("m:1")).expect_err("is referenced");
    assert!(
        matches!(&error, DeleteVersionError::Referenced { aliases } if **aliases == ["prod".into()]),
        "{error}"
    );
    let only_second = Some(vec![Route { version: 2, weight: 100 }]);
    let update = AliasUpdate { description: Some("d".into()), routes: only_second };
    machines.update_alias(&arn("m:prod"), update, 9).expect("updates");
    machines.delete_version(&arn("m:1")).expect("is free");
    let error = machines.update_alias(&arn("m:x"), AliasUpdate::default(), 9).expect_err("is absent");
    assert!(matches!(error, UpdateAliasError::DoesNotExist), "{error}");

    let all_second = [Route { version: 2, weight: 100 }];
    machines.create_alias(&arn("m"), alias("a", &all_second), 9).expect("creates");
    let names = |version| -> Vec<String> {
        let found = machines.aliases(&arn("m"), version, 0, 10).expect("is there");
        found.iter().map(|alias| alias.name.to_string()).collect()
    };
    assert_eq!(
        (names(None), names(Some(2)), names(Some(1))),
        (vec!["prod".into(), "a".into()], vec!["prod".into(), "a".into()], vec![])
    );
    machines.delete_alias(&arn("m:prod")).expect("deletes");
    machines.delete_alias(&arn("m:prod")).expect("is repeatable");
    assert!(machines.start_target(&arn("m:prod"), 0).expect("reads").is_none());
}

#[test]
fn versions_and_aliases_survive_a_restart_and_go_with_their_machine() {
    let home = Home::new("versions-restart");
    {
        let (_store, machines) = open(&home.0);
        machines.create(NewMachine { publish: publish(), ..new("m", PASS) }, 5).expect("creates");
        machines.create(NewMachine { publish: publish(), ..new("m2", PASS) }, 5).expect("creates");
        let routes = vec![Route { version: 1, weight: 100 }];
        for name in ["b", "a"] {
            let alias = NewAlias { name: name.into(), description: Some("d".into()), routes: routes.clone() };
            machines.create_alias(&arn("m"), alias, 6).expect("creates");
        }
        let update = AliasUpdate { description: Some("e".into()), routes: None };
        machines.update_alias(&arn("m:a"), update, 7).expect("updates");
    }
    let (_store, machines) = open(&home.0);
    let alias = machines.alias(&arn("m:a")).expect("is there");
    assert_eq!(
        (alias.number, alias.description.as_deref(), &alias.routes[..], alias.created_ms, alias.updated_ms),
        (2, Some("e"), &[(arn("m:1").into(), 100)][..], 6, Some(7))
    );
    assert_eq!(numbers(&machines), [1]);
    machines.begin_delete(&arn("m")).expect("deletes");
    let error = machines.publish(&arn("m"), None, Publication::default(), 8).expect_err("is refused");
    assert!(matches!(error, PublishVersionError::Deleting { .. }), "{error}");
    machines.finish_delete(&arn("m")).expect("deletes");
    assert!(machines.versions(&arn("m"), None, 1).is_none());
    machines.create(new("m", PASS), 9).expect("creates");
    assert_eq!((numbers(&machines), machines.alias(&arn("m:a"))), (vec![], None));
    assert!(machines.version(&arn("m2:1")).expect("reads").is_some());
}

/// Bytes as version 1 wrote them. Never change them: data directories hold such records.
#[test]
fn records_of_version_1_are_read() {
    let machine = br#"{"version":1,"name":"m","express":true,"created_ms":5,"revision":7,"deleting":false,"tags":[["a","1"]]}"#;
    let read = MachineRecord::read("arn:m", machine).expect("reads");
    assert_eq!((read.revision, read.express, read.tags.len()), (7, true, 1));
    assert_eq!((read.next_version, read.published_at_creation), (1, false));
    let revision = br#"{"version":1,"machine_arn":"arn:m","name":"m","role_arn":"arn:r","definition":"{}","express":true,"revision_id":null,"created_ms":5,"logging":"{}","tracing":"{}","encryption":"{}"}"#;
    let read = RevisionRecord::read(7, revision).expect("reads");
    assert_eq!(read.to_bytes(), revision);
    let error = MachineRecord::read("arn:m", br#"{"version":3}"#).expect_err("is from the future");
    assert!(error.to_string().contains("arn:m") && error.to_string().contains("version 3"), "{error}");
    let error = RevisionRecord::read(7, b"\xff").expect_err("is no JSON");
    assert!(error.to_string().contains("revision 7"), "{error}");
}
