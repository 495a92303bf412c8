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

/// Bytes as version 1 wrote them. Never change them: data directories hold such records.
#[test]
fn records_of_version_1_are_read() {
    let machine = br#"{"version":1,"name":"m","express":true,"created_ms":5,"revision":7,"deleting":false,"tags":[["a","1"]]}"#;
    let read = MachineRecord::read("arn:m", machine).expect("reads");
    assert_eq!((read.revision, read.express, read.tags.len()), (7, true, 1));
    assert_eq!(read.to_bytes(), machine);
    let revision = br#"{"version":1,"machine_arn":"arn:m","name":"m","role_arn":"arn:r","definition":"{}","express":true,"revision_id":null,"created_ms":5,"logging":"{}","tracing":"{}","encryption":"{}"}"#;
    let read = RevisionRecord::read(7, revision).expect("reads");
    assert_eq!(read.to_bytes(), revision);
    let error = MachineRecord::read("arn:m", br#"{"version":2}"#).expect_err("is from the future");
    assert!(error.to_string().contains("arn:m") && error.to_string().contains("version 2"), "{error}");
    let error = RevisionRecord::read(7, b"\xff").expect_err("is no JSON");
    assert!(error.to_string().contains("revision 7"), "{error}");
}
