//! The operator's tool, as a process: what it writes, what it prints, and what it never prints.

mod projects;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use tailrace_core::edge::{KeyRing, Scope, verify};

/// A folder of the test's own.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// What the tool does with these arguments in that folder, with this on standard input and these keys in the environment.
fn tailrace(folder: &Path, arguments: &[&str], input: &str, keys: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tailrace"));
    command.args(arguments).current_dir(folder);
    ["TAILRACE_KEYS", "TAILRACE_ROOT_KEY"].into_iter().for_each(|variable| {
        command.env_remove(variable);
    });
    keys.into_iter().for_each(|keys| {
        command.env("TAILRACE_KEYS", keys);
    });
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the tool starts");
    let mut pipe = child.stdin.take().expect("a pipe");
    // A tool that does not read it has ended.
    _ = pipe.write_all(input.as_bytes());
    drop(pipe);
    child.wait_with_output().expect("the tool ends")
}

fn printed(output: &Output) -> String {
    [output.stdout.as_slice(), &output.stderr].map(String::from_utf8_lossy).join("")
}

/// A new key in a file: the file, and the key.
fn new_key(folder: &Path) -> (PathBuf, String) {
    let output = tailrace(folder, &["key", "new", "--out", ".secrets.env"], "", None);
    assert!(output.status.success(), "{}", printed(&output));
    let file = folder.join(".secrets.env");
    let text = std::fs::read_to_string(&file).expect("a file");
    let keys = text.strip_prefix("TAILRACE_KEYS=").and_then(|rest| rest.strip_suffix('\n')).expect("a line").to_owned();
    assert!(!printed(&output).contains(keys.split(':').nth(1).expect("a secret")), "the key is printed");
    (file, keys)
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64
}

#[test]
fn a_new_key_is_in_a_file_of_its_own_that_nobody_else_may_read() {
    let folder = folder("new");
    let (file, keys) = new_key(&folder);
    assert!(KeyRing::parse(&keys).is_ok());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
    }
    // What is there is not written over.
    let again = tailrace(&folder, &["key", "new", "--out", ".secrets.env"], "", None);
    assert!(!again.status.success());
    assert_eq!(std::fs::read_to_string(&file).expect("a file"), format!("TAILRACE_KEYS={keys}\n"));
    let other = tailrace(&folder, &["key", "new", "--out", "b.env", "--id", "next"], "", None);
    assert_eq!(printed(&other), "the key next is in b.env\n");
    for id in ["", "a b", "a:b", "a,b", &"i".repeat(33)] {
        let refused = tailrace(&folder, &["key", "new", "--out", "c.env", "--id", id], "", None);
        assert!(!refused.status.success() && !folder.join("c.env").exists(), "{id}");
    }
}

#[test]
fn git_takes_no_key_along() {
    let folder = folder("git");
    let git = |arguments: &[&str]| {
        assert!(Command::new("git").args(arguments).current_dir(&folder).status().expect("git").success());
    };
    git(&["init", "--quiet"]);
    let refused = tailrace(&folder, &["key", "new", "--out", "keys.env"], "", None);
    assert!(!refused.status.success() && printed(&refused).contains("git would take keys.env along"));
    assert!(!folder.join("keys.env").exists());
    std::fs::write(folder.join(".gitignore"), "keys.env\n").expect("a file");
    assert!(tailrace(&folder, &["key", "new", "--out", "keys.env"], "", None).status.success());
}

#[test]
fn a_token_says_what_it_was_asked_to_and_lasts_as_long_wherever_the_keys_come_from() {
    let folder = folder("mint");
    let (file, keys) = new_key(&folder);
    let text = std::fs::read_to_string(file).expect("a file");
    let ring = KeyRing::parse(&keys).expect("keys");
    for (source, input, variable) in [
        (&["--keys", ".secrets.env"][..], "", None),
        (&["--keys", "-"], text.as_str(), None),
        (&[], "", Some(keys.as_str())),
        // A file that is named goes before the environment.
        (&["--keys", ".secrets.env"], "", Some("nonsense")),
    ] {
        for (arguments, scope, stream, seconds) in [
            (&["--scope", "read"][..], Scope::Read, None, 3_600),
            (&["--scope", "write", "--stream", "chat/*", "--expires", "5m"], Scope::Write, Some("chat/1"), 300),
            (&["--scope", "manage", "--stream", "a", "--expires", "2d"], Scope::Manage, Some("a"), 172_800),
        ] {
            let before_ms = now_ms();
            let output = tailrace(&folder, &[&["token", "mint"], arguments, source].concat(), input, variable);
            assert!(output.status.success(), "{}", printed(&output));
            let token = String::from_utf8(output.stdout).expect("text");
            let claims = verify(&ring, token.trim_end(), now_ms()).expect("a token");
            assert_eq!((claims.project.as_str(), claims.scope), ("_default", scope));
            assert_eq!(
                claims.stream.is_some_and(|pattern| stream.is_some_and(|path| pattern.admits(path))),
                stream.is_some()
            );
            let from_s = before_ms / 1_000 + seconds;
            assert!((from_s..=now_ms() / 1_000 + seconds).contains(&claims.expires_s));
        }
    }
}

#[test]
fn what_is_wrong_is_said_and_no_key_is_ever_printed() {
    let folder = folder("wrong");
    let (_, keys) = new_key(&folder);
    let secret = keys.split(':').nth(1).expect("a secret");
    std::fs::write(folder.join("empty.env"), "OTHER=1\n").expect("a file");
    let own = ["--keys", ".secrets.env"];
    let short = format!("a:{}", &secret[..20]);
    for (arguments, source, variable, expected) in [
        (&["--scope", "all"][..], &own[..], None, "neither read, write nor manage"),
        (&["--scope", "read", "--stream", "*"], &own, None, "neither a stream's path"),
        (&["--scope", "read", "--expires", "1w"], &own, None, "no time like"),
        (&["--scope", "read", "--expires", "0s"], &own, None, "a second at least"),
        (&["--scope", "read"], &[], None, "there are no keys"),
        (&["--scope", "read"], &["--keys", "empty.env"], None, "has no line TAILRACE_KEYS="),
        (&["--scope", "read"], &["--keys", "nowhere.env"], None, "nowhere.env"),
        (&["--scope", "read"], &[], Some(short.as_str()), "key 1 is shorter than 32 bytes"),
        // Keys are no arguments.
        (&["--scope", "read", "--key", "a:b"], &own, None, "unexpected argument"),
    ] {
        let output = tailrace(&folder, &[&["token", "mint"], arguments, source].concat(), "", variable);
        let text = printed(&output);
        assert!(!output.status.success() && text.contains(expected), "{arguments:?}: {text}");
        assert!(!text.contains(secret) && !text.contains(&secret[..20]), "{text}");
    }
}

#[test]
fn a_token_is_shown_with_what_it_says_and_whether_it_is_right() {
    let folder = folder("show");
    let (_, keys) = new_key(&folder);
    let mint = ["token", "mint", "--scope", "read", "--stream", "a", "--expires", "3h", "--keys", ".secrets.env"];
    let token = String::from_utf8(tailrace(&folder, &mint, "", None).stdout).expect("text");
    let show = |input: &str, arguments: &[&str]| {
        let output = tailrace(&folder, &[&["token", "show"], arguments].concat(), input, None);
        (output.status.success(), printed(&output))
    };
    let own = ["--keys", ".secrets.env"];
    let secret = keys.split(':').nth(1).expect("a secret");
    for (input, arguments, is_shown, expected) in [
        (token.clone(), &own[..], true, "signature right"),
        (format!("Bearer {token}"), &own, true, "signature right"),
        (token.clone(), &[], true, "no keys at hand"),
        (token.replacen('.', ".e", 1), &[], false, "claims are no base64url"),
        (token.trim_end().rsplit_once('.').expect("parts").0.to_owned() + ".AAAA", &own, true, "token_invalid"),
        ("nonsense".to_owned(), &own, false, "three parts"),
        (String::new(), &own, false, "three parts"),
        (token.clone(), &["--keys", "-"], false, "read on standard input"),
    ] {
        let (is_ok, text) = show(&input, arguments);
        assert!(is_ok == is_shown && text.contains(expected), "{input}: {text}");
        assert!(!text.contains(secret));
    }
    let (_, text) = show(&token, &own);
    for said in [r#""scope":"read""#, r#""stream":"a""#, r#""alg":"HS256""#, "expires   20", "in 2 hours"] {
        assert!(text.contains(said) || said == "in 2 hours" && text.contains("in 3 hours"), "{said}: {text}");
    }
}

#[test]
fn a_token_of_the_operator_of_all_projects_is_signed_by_the_root_key_and_others_name_their_project() {
    let folder = folder("root");
    let made = tailrace(&folder, &["key", "new", "--root", "--out", "root.env"], "", None);
    assert!(made.status.success(), "{}", printed(&made));
    let text = std::fs::read_to_string(folder.join("root.env")).expect("a file");
    let root =
        text.strip_prefix("TAILRACE_ROOT_KEY=").and_then(|rest| rest.strip_suffix('\n')).expect("a line").to_owned();
    let minted = tailrace(&folder, &["token", "mint", "--root", "--keys", "root.env"], "", None);
    let token = String::from_utf8_lossy(&minted.stdout).trim().to_owned();
    let claims = verify(&KeyRing::parse(&root).expect("a key"), &token, now_ms()).expect("a token");
    assert_eq!((claims.project.as_str(), claims.scope), ("_root", Scope::Manage));
    let (_, keys) = new_key(&folder);
    let mint = |arguments: &[&str]| tailrace(&folder, &[&["token", "mint"], arguments].concat(), "", Some(&keys));
    let minted = mint(&["--scope", "read", "--project", "chat"]);
    let token = String::from_utf8_lossy(&minted.stdout).trim().to_owned();
    let claims = verify(&KeyRing::parse(&keys).expect("a key"), &token, now_ms()).expect("a token");
    assert_eq!((claims.project.as_str(), claims.scope), ("chat", Scope::Read));
    // The keys of a project make no token of the operator.
    for wrong in [&["--root"][..], &["--root", "--scope", "read"], &[]] {
        assert!(!mint(wrong).status.success(), "{wrong:?}");
    }
}
