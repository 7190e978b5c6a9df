//! What is read of files that settings name: whole, rotten, missing, odd, and by the folder.

use super::*;
use std::os::unix::fs::symlink;
use std::process;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

const ROOT: &str = include_str!("../../../tests/data/tls/root.pem");
const MIDDLE: &str = include_str!("../../../tests/data/tls/middle.pem");
const CLIENT: &str = include_str!("../../../tests/data/tls/client.pem");
const KEY: &str = include_str!("../../../tests/data/tls/key.pem");
const SEC1: &str = include_str!("../../../tests/data/tls/sec1.pem");
const LOCKED: &str = include_str!("../../../tests/data/tls/locked.pem");
const ROTTEN: &str = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";

/// A folder that is gone after the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("sx-roots-{}-{count}", process::id()));
        fs::create_dir(&path).unwrap();
        Scratch(path)
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// A text that names files here, without the name of this folder.
    fn shown(&self, text: impl ToString) -> String {
        let folder = format!("{}/", self.0.display());
        text.to_string().replace(&folder, "")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn ca_file(path: &Path) -> Trust {
    Trust {
        ca_file: Some(path.to_path_buf()),
        ..Trust::default()
    }
}

fn der(file: &str) -> Vec<u8> {
    pem::sections(file.as_bytes()).remove(0).der.unwrap()
}

#[test]
fn nothing_is_read_where_nothing_is_named() {
    let found = named(&Trust::default()).unwrap();
    assert!(found.certificates.is_empty() && found.warnings.is_empty());
    assert!(identity(&Trust::default()).unwrap().is_none());
}

#[test]
fn files_are_merged_and_each_certificate_counts_once() {
    let scratch = Scratch::new();
    let trust = Trust {
        ca_file: Some(scratch.file("a.pem", format!("{ROOT}{KEY}{ROOT}"))),
        ssl_cert_file: Some(scratch.file("b.crt", format!("{MIDDLE}{ROOT}"))),
        ..Trust::default()
    };
    let found = named(&trust).unwrap();
    assert_eq!(found.certificates, [der(ROOT), der(MIDDLE)]);
    assert!(found.warnings.is_empty());
}

#[test]
fn one_bad_certificate_loses_only_itself() {
    let scratch = Scratch::new();
    let torn = "-----BEGIN CERTIFICATE-----\nMIIB\n";
    let path = scratch.file("a.pem", format!("{ROTTEN}{torn}{ROOT}"));
    let found = named(&ca_file(&path)).unwrap();
    assert_eq!(found.certificates, [der(ROOT)]);
    let warnings: Vec<String> = found.warnings.iter().map(|w| scratch.shown(w)).collect();
    assert_eq!(
        warnings,
        [
            "CA_FILE: a.pem: the certificate of line 1 cannot be used: it is no certificate",
            "CA_FILE: a.pem: the certificate of line 4 cannot be used: its END line is missing",
        ]
    );
}

#[test]
fn many_bad_certificates_are_counted() {
    let scratch = Scratch::new();
    let path = scratch.file("a.pem", ROTTEN.repeat(9) + ROOT);
    let warnings = named(&ca_file(&path)).unwrap().warnings;
    assert_eq!(warnings.len(), WARNINGS_MAX + 1);
    assert_eq!(warnings[WARNINGS_MAX], "5 more certificates cannot be read");
}

#[test]
fn a_ca_file_that_gives_nothing_is_an_error() {
    let scratch = Scratch::new();
    #[track_caller]
    fn check(scratch: &Scratch, path: &Path, expected: &str) {
        let error = named(&ca_file(path)).unwrap_err();
        assert_eq!(scratch.shown(error), expected);
    }
    let path = scratch.file("empty", "");
    check(
        &scratch,
        &path,
        "cannot use empty of CA_FILE: it holds no certificate",
    );
    let path = scratch.file("rotten", ROTTEN);
    check(
        &scratch,
        &path,
        "cannot use rotten of CA_FILE: none of its certificates can be read",
    );
    let path = scratch.file("long", vec![b'\n'; FILE_BYTES_MAX as usize + 1]);
    check(
        &scratch,
        &path,
        "cannot read long of CA_FILE: it is longer than 4194304 bytes",
    );
    check(
        &scratch,
        Path::new("/dev/zero"),
        "cannot read /dev/zero of CA_FILE: it is not a regular file",
    );
    let error = named(&ca_file(&scratch.0.join("gone"))).unwrap_err();
    let Error::Unreadable { source, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(source.kind(), io::ErrorKind::NotFound);
}

#[test]
fn left_over_variables_are_only_warned_of() {
    let scratch = Scratch::new();
    let trust = Trust {
        ssl_cert_file: Some(scratch.0.join("gone")),
        ssl_cert_dir: Some(scratch.0.join("gone-too")),
        ..Trust::default()
    };
    let found = named(&trust).unwrap();
    assert!(found.certificates.is_empty());
    let [file, folder] = &found.warnings[..] else {
        panic!("{:?}", found.warnings);
    };
    assert!(file.contains("gone of SSL_CERT_FILE"), "{file}");
    assert!(folder.contains("gone-too of SSL_CERT_DIR"), "{folder}");
}

#[test]
fn folders_are_read_with_all_that_lies_in_them() {
    let (one, other) = (Scratch::new(), Scratch::new());
    one.file("b.pem", MIDDLE);
    one.file("a.der", der(ROOT));
    one.file("notes.txt", "no certificate");
    fs::create_dir(one.0.join("folder")).unwrap();
    symlink("a.der", one.0.join("5ad8a5d6.0")).unwrap();
    symlink("gone", one.0.join("dangling.pem")).unwrap();
    other.file("c", CLIENT);
    let both = env::join_paths([&one.0, &other.0]).unwrap();
    let trust = Trust {
        ssl_cert_dir: Some(both.into()),
        ..Trust::default()
    };
    let found = named(&trust).unwrap();
    assert_eq!(found.certificates, [der(ROOT), der(MIDDLE), der(CLIENT)]);
    assert!(found.warnings.is_empty(), "{:?}", found.warnings);
}

#[test]
fn the_first_of_the_system_s_places_that_has_any_is_taken() {
    let scratch = Scratch::new();
    let path = |name: &str| scratch.0.join(name).display().to_string();
    scratch.file("empty", "");
    scratch.file("one", ROOT);
    scratch.file("two", MIDDLE);
    let (gone, empty) = (path("gone"), path("empty"));
    let (one, two) = (path("one"), path("two"));
    let folder = scratch.0.display().to_string();
    let found = first_of(&[&gone, &empty, &one, &two], &[&folder]);
    assert_eq!(found, [der(ROOT)]);
    assert_eq!(first_of(&[&gone], &[&gone, &folder]).len(), 2);
    assert!(first_of(&[&gone], &[]).is_empty());
}

#[test]
fn our_own_certificate_comes_with_its_chain_and_key() {
    let scratch = Scratch::new();
    let with = |cert: &str, key: Option<&str>| {
        let trust = Trust {
            client_cert: Some(scratch.file("cert", cert)),
            client_key: key.map(|key| scratch.file("key", key)),
            ..Trust::default()
        };
        identity(&trust)
    };
    let apart = with(&format!("{CLIENT}{ROOT}"), Some(KEY)).unwrap();
    let apart = apart.expect("a certificate is named");
    assert_eq!(apart.chain, [der(CLIENT), der(ROOT)]);
    assert_eq!(apart.key, der(KEY));
    let together = with(&format!("{SEC1}{CLIENT}"), None).unwrap();
    assert_eq!(together.expect("a certificate is named").key, der(SEC1));

    #[track_caller]
    fn check(scratch: &Scratch, found: Result<Option<Identity>, Error>, expected: &str) {
        let error = found.map(|_| ()).unwrap_err();
        assert_eq!(scratch.shown(error), expected);
    }
    check(
        &scratch,
        with(CLIENT, None),
        "cannot use cert of CLIENT_CERT: it holds no private key",
    );
    check(
        &scratch,
        with(KEY, Some(KEY)),
        "cannot use cert of CLIENT_CERT: it holds no certificate",
    );
    check(
        &scratch,
        with(CLIENT, Some(LOCKED)),
        "cannot use key of CLIENT_KEY: \
         the encrypted private key of line 1 cannot be used: it is locked by a password",
    );
    let alone = Trust {
        client_key: Some(scratch.file("key", KEY)),
        ..Trust::default()
    };
    check(
        &scratch,
        identity(&alone),
        "CLIENT_KEY is set, but CLIENT_CERT is not",
    );
}
