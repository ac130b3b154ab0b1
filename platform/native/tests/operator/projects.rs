//! What the tool asks a deployment about projects, what it makes of the answers, and what it tells nobody.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tailrace_core::edge::{KeyRing, Scope, verify};

use super::{folder, new_key, now_ms, printed, tailrace};

/// The secret of a new key, as the deployment tells it.
const SECRET: &str = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY";

/// The certificate of a server at 127.0.0.1, good until 2126. Its key is beside it, and good for nothing but these tests.
const CERTIFICATE: &str = include_str!("tls/certificate.pem");

/// What came to the deployment.
#[derive(Debug)]
struct Asked {
    line: String,
    token: String,
    body: String,
}

/// A deployment that gives these answers in turn, each a status, further fields and a body; its URL, and what it was asked.
fn deployment(answers: Vec<(u16, &'static str, String)>) -> (String, JoinHandle<Vec<Asked>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let serve = move |(status, fields, body): (u16, &str, String)| {
        let (mut stream, _) = listener.accept().expect("a connection");
        let asked = read(&stream);
        let length = body.len();
        let head = format!("HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {length}\r\n{fields}\r\n");
        stream.write_all((head + &body).as_bytes()).expect("it takes the answer");
        asked
    };
    (url, std::thread::spawn(move || answers.into_iter().map(serve).collect()))
}

fn read(stream: impl Read) -> Asked {
    let mut reader = BufReader::new(stream);
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    };
    let (first, mut token, mut length) = (line(), String::new(), 0);
    loop {
        let field = line();
        let Some((name, value)) = field.split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "authorization" => token = value.strip_prefix("Bearer ").expect("a token").to_owned(),
            "content-length" => length = value.parse().expect("a length"),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    Asked { line: first, token, body: String::from_utf8(body).expect("text") }
}

fn made(usable_s: u64) -> String {
    format!(r#"{{"project":"chat","key":{{"id":"k1","secret":"{SECRET}"}},"usableAt":{usable_s}}}"#)
}

fn refusal(code: &str) -> String {
    format!(r#"{{"error":{{"code":"{code}","message":"for some reason"}}}}"#)
}

/// A folder with a root key in `root.env`; the folder, and the key.
fn with_root(name: &str) -> (PathBuf, KeyRing) {
    let folder = folder(name);
    assert!(tailrace(&folder, &["key", "new", "--root", "--out", "root.env"], "", None).status.success());
    let text = std::fs::read_to_string(folder.join("root.env")).expect("a file");
    let keys = text.trim_end().strip_prefix("TAILRACE_ROOT_KEY=").expect("a line");
    (folder, KeyRing::parse(keys).expect("a key"))
}

/// What the tool does about projects there, with the keys of that file.
fn project(folder: &Path, keys: &str, url: &str, arguments: &[&str]) -> Output {
    let output = tailrace(folder, &[&["project"], arguments, &["--url", url, "--keys", keys]].concat(), "", None);
    assert!(!printed(&output).contains(SECRET), "the secret is printed");
    output
}

#[test]
fn the_first_key_of_a_project_is_in_a_file_and_signs_once_every_datacenter_knows_it() {
    let (folder, root) = with_root("create");
    let usable_s = now_ms() / 1_000 + 3;
    let (url, asked) = deployment(vec![(201, "", made(usable_s))]);
    let created = project(&folder, "root.env", &url, &["create", "chat", "--out", "chat.env"]);
    assert!(
        created.status.success() && printed(&created).contains("the key k1 is in chat.env"),
        "{}",
        printed(&created)
    );
    let asked = asked.join().expect("a request");
    assert_eq!((asked.len(), asked[0].line.as_str()), (1, "PUT /v1/projects/chat HTTP/1.1"));
    let claims = verify(&root, &asked[0].token, now_ms()).expect("a token of the root key");
    assert_eq!((claims.project.as_str(), claims.scope), ("_root", Scope::Manage));
    let file = folder.join("chat.env");
    let text = std::fs::read_to_string(&file).expect("a file");
    assert_eq!(text, format!("TAILRACE_KEYS=k1:{SECRET}\nTAILRACE_KEYS_USABLE_AT={usable_s}\n"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
    }
    let mint = ["token", "mint", "--project", "chat", "--scope", "read", "--keys", "chat.env"];
    let minted = tailrace(&folder, &mint, "", None);
    assert!(now_ms() / 1_000 >= usable_s && printed(&minted).contains("waiting for"), "{}", printed(&minted));
    let token = String::from_utf8(minted.stdout).expect("text");
    assert!(verify(&KeyRing::parse(&format!("k1:{SECRET}")).expect("a key"), token.trim_end(), now_ms()).is_ok());
    let before = Instant::now();
    let again = tailrace(&folder, &mint, "", None);
    assert!(again.status.success() && !printed(&again).contains("waiting") && before.elapsed().as_secs() < 2);
    // Nobody waits for ever, be it that a clock is wrong.
    std::fs::write(&file, text.replace(&usable_s.to_string(), "99999999999")).expect("a file");
    assert!(printed(&tailrace(&folder, &mint, "", None)).contains("is the clock right?"));
    std::fs::write(&file, text.replace(&usable_s.to_string(), "soon")).expect("a file");
    assert!(printed(&tailrace(&folder, &mint, "", None)).contains("TAILRACE_KEYS_USABLE_AT is no time"));
}

#[test]
fn where_no_key_was_made_there_is_no_file_and_what_is_wrong_is_said() {
    let (folder, _) = with_root("refused");
    for (status, fields, body, expected) in [
        (200, "", r#"{"project":"chat"}"#.to_owned(), "there is a project chat already"),
        (401, "", refusal("token_invalid"), "401 token_invalid: for some reason"),
        (503, "", refusal("registry_unavailable"), "503 registry_unavailable: for some reason"),
        (502, "", "<html>".to_owned(), "502, and no deployment of Tailrace says that"),
        (302, "location: http://127.0.0.1:1/\r\n", String::new(), "302"),
        (201, "", "{}".to_owned(), "none of a deployment of Tailrace"),
    ] {
        let (url, asked) = deployment(vec![(status, fields, body)]);
        let output = project(&folder, "root.env", &url, &["create", "chat", "--out", "chat.env"]);
        assert!(!output.status.success() && printed(&output).contains(expected), "{status}: {}", printed(&output));
        assert!(!folder.join("chat.env").exists(), "{status}");
        asked.join().expect("a request");
    }
    // A file that is there is not written over, and nothing is asked: a secret that has no place would be lost.
    std::fs::write(folder.join("chat.env"), "mine").expect("a file");
    let output = project(&folder, "root.env", "http://127.0.0.1:1", &["create", "chat", "--out", "chat.env"]);
    assert!(!output.status.success() && printed(&output).contains("chat.env"), "{}", printed(&output));
    assert_eq!(std::fs::read_to_string(folder.join("chat.env")).expect("a file"), "mine");
}

#[test]
fn each_command_has_its_route_and_a_key_of_the_project_does_for_its_own() {
    let (folder, root) = with_root("routes");
    let (_, keys) = new_key(&folder);
    let own = KeyRing::parse(&keys).expect("keys");
    let shown = r#"{"keys":[{"id":"b","createdAt":1767225600},{"id":"a","createdAt":0}],"origins":["https://a.test"]}"#;
    for (arguments, answer, line, body, expected) in [
        (&["remove", "chat"][..], (204, ""), "DELETE /v1/projects/chat", "", "the project chat is removed\n"),
        (
            &["show", "chat"],
            (200, shown),
            "GET /v1/projects/chat",
            "",
            "key     b of 2026-01-01T00:00:00Z\nkey     a of before\norigin  https://a.test\n",
        ),
        (
            &["key", "remove", "chat", "a-1"],
            (204, ""),
            "DELETE /v1/projects/chat/keys/a-1",
            "",
            "the key a-1 of chat is removed\n",
        ),
        (
            &["origins", "chat", "https://a.test", "https://b.test"],
            (204, ""),
            "PUT /v1/projects/chat/origins",
            r#"["https://a.test","https://b.test"]"#,
            "the project chat is for https://a.test https://b.test\n",
        ),
        (&["origins", "chat"], (204, ""), "PUT /v1/projects/chat/origins", "[]", "the project chat is for no origin\n"),
    ] {
        for (file, ring, sub) in [("root.env", &root, "_root"), (".secrets.env", &own, "chat")] {
            let (url, asked) = deployment(vec![(answer.0, "", answer.1.to_owned())]);
            let output = project(&folder, file, &url, arguments);
            assert_eq!((output.status.success(), printed(&output).as_str()), (true, expected), "{arguments:?}");
            let asked = asked.join().expect("a request").remove(0);
            assert_eq!((asked.line, asked.body.as_str()), (format!("{line} HTTP/1.1"), body));
            assert_eq!(verify(ring, &asked.token, now_ms()).expect("a token").project, sub);
        }
    }
    let (url, asked) = deployment(vec![(201, "", made(0))]);
    assert!(project(&folder, ".secrets.env", &url, &["key", "add", "chat", "--out", "next.env"]).status.success());
    assert_eq!(asked.join().expect("a request")[0].line, "POST /v1/projects/chat/keys HTTP/1.1");
    assert!(folder.join("next.env").exists());
}

#[test]
fn a_listing_goes_on_until_its_last_page() {
    let (folder, _) = with_root("list");
    let pages = [r#"{"projects":["a","b"],"cursor":"x/y="}"#, r#"{"projects":["c"]}"#];
    let (url, asked) = deployment(pages.map(|page| (200, "", page.to_owned())).to_vec());
    assert_eq!(printed(&project(&folder, "root.env", &url, &["list"])), "a\nb\nc\n");
    let lines: Vec<String> = asked.join().expect("requests").into_iter().map(|asked| asked.line).collect();
    assert_eq!(lines, ["GET /v1/projects HTTP/1.1", "GET /v1/projects?cursor=x%2Fy%3D HTTP/1.1"]);
}

#[test]
fn a_token_goes_nowhere_that_others_could_read_it() {
    let (folder, _) = with_root("where");
    for (url, expected) in [
        ("http://streams.example.com", "is no https:// URL"),
        ("ftp://127.0.0.1", "is no https:// URL"),
        ("streams.example.com", "is no https:// URL"),
        ("https://streams.example.com/v1", "a deployment has no path"),
        ("https://streams.example.com/?a=b", "a deployment has no path"),
    ] {
        let output = project(&folder, "root.env", url, &["list"]);
        assert!(!output.status.success() && printed(&output).contains(expected), "{url}: {}", printed(&output));
    }
    for arguments in [&["remove", "a/b"][..], &["remove", "__ds"], &["show", ""], &["key", "remove", "chat", "a/b"]] {
        let output = project(&folder, "root.env", "http://127.0.0.1:1", arguments);
        let text = printed(&output);
        assert!(text.contains("a project is 1 to 64") || text.contains("no id of a key"), "{arguments:?}: {text}");
    }
    // What listens at an https:// URL is spoken to in TLS, and told nothing before it has shown who it is.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("https://{}", listener.local_addr().expect("an address"));
    let heard = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut bytes = vec![0; 4_096];
        let length = stream.read(&mut bytes).expect("bytes");
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").expect("it takes the answer");
        bytes.truncate(length);
        bytes
    });
    assert!(!project(&folder, "root.env", &url, &["list"]).status.success());
    let heard = heard.join().expect("bytes");
    // The first record of a handshake.
    assert_eq!(heard.first(), Some(&22));
    assert!(!String::from_utf8_lossy(&heard).contains("Bearer"));
}

/// A deployment that answers once, in TLS, with the certificate of the tests; its URL, and what it was asked, if anything.
fn deployment_in_tls() -> (String, JoinHandle<Option<Asked>>) {
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/key.pem")).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("a certificate and its key");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("https://{}", listener.local_addr().expect("an address"));
    let serve = move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut connection = ServerConnection::new(Arc::new(config)).expect("a connection");
        // Who does not trust the certificate says so, and leaves.
        while connection.is_handshaking() {
            connection.complete_io(&mut stream).ok()?;
        }
        let mut stream = StreamOwned::new(connection, stream);
        let asked = read(&mut stream);
        let answer = b"HTTP/1.1 200 x\r\nconnection: close\r\ncontent-length: 18\r\n\r\n{\"projects\":[\"a\"]}";
        stream.write_all(answer).and_then(|()| stream.flush()).expect("it takes the answer");
        Some(asked)
    };
    (url, std::thread::spawn(serve))
}

#[test]
fn a_server_has_to_show_whose_it_is() {
    let (folder, root) = with_root("tls");
    std::fs::write(folder.join("ca.pem"), CERTIFICATE).expect("a file");
    std::fs::write(folder.join("none.pem"), "").expect("a file");
    let asks = |url: &str, ca: &[&str]| project(&folder, "root.env", url, &[&["list"], ca].concat());
    let (url, asked) = deployment_in_tls();
    assert_eq!(printed(&asks(&url, &["--ca", "ca.pem"])), "a\n");
    let asked = asked.join().expect("no panic").expect("a request");
    assert_eq!(asked.line, "GET /v1/projects HTTP/1.1");
    assert!(verify(&root, &asked.token, now_ms()).is_ok());
    // The public authorities know nothing of it, and it is no other server's.
    for (other, ca, expected) in
        [(None, &[][..], "UnknownIssuer"), (Some("https://localhost:"), &["--ca", "ca.pem"], "not valid for")]
    {
        let (url, asked) = deployment_in_tls();
        let url = other.map_or(url.clone(), |other| url.replace("https://127.0.0.1:", other));
        let output = asks(&url, ca);
        assert!(!output.status.success() && printed(&output).contains(expected), "{}", printed(&output));
        assert!(asked.join().expect("no panic").is_none(), "nothing is told");
    }
    for (file, expected) in [("none.pem", "none.pem has no certificate"), ("nowhere.pem", "nowhere.pem")] {
        let output = asks("https://127.0.0.1:1", &["--ca", file]);
        assert!(!output.status.success() && printed(&output).contains(expected), "{}", printed(&output));
    }
}
