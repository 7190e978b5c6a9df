//! The engine of most servers of one's own, PyPI's package of llama.cpp, with a tiny model of
//! random numbers: what it says means nothing, how it says it is the real thing.

use crate::daemon;
use crate::daemon::Daemon;
use crate::daemon::Who;
use crate::place::Place;
use crate::sx::Sx;
use std::path::Path;
use std::process::Command;

/// Where `.ci/real` installs it.
const PYTHON: &str = "target/real/llama/bin/python3";

/// Every byte is a token to this model, and our prompt has some thousand.
const WINDOW: &str = "32768";

/// The window of a server that is too small for our prompt.
const SMALL_WINDOW: &str = "512";

struct Llama {
    place: Place,
    origin: String,
    _daemon: Daemon,
}

impl Llama {
    fn start(window: &str) -> Llama {
        let place = Place::new();
        let folder = daemon::folder(&place);
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = root.join(PYTHON);
        let made = Command::new(&python)
            .arg(root.join("tests/real/llama/model.py"))
            .args([&folder.join("model.gguf"), Path::new(window)])
            .output()
            .expect("`make test-real` installs it");
        let said = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "{said}");
        let port = daemon::free_port().to_string();
        let python = python.to_str().expect("a path in UTF-8");
        let args = [
            "-m",
            "llama_cpp.server",
            "--model",
            "model.gguf",
            "--n_ctx",
            window,
            "--host",
            "127.0.0.1",
            "--port",
            &port,
        ];
        let ready = "Uvicorn running";
        let daemon = Daemon::start_as(Who::Us, &place, ready, python, &args);
        Llama {
            place,
            origin: format!("http://127.0.0.1:{port}"),
            _daemon: daemon,
        }
    }

    fn asking(&self, sx: Sx, provider: &str) -> Sx {
        sx.env("PROVIDER", provider)
            .env("OPENAI_BASE_URL", &self.origin)
            .env("ROUTER_URL", &self.origin)
            .env("MAX_OUTPUT_TOKENS", "16")
            .env("RETRY_MAX", "0")
    }
}

#[test]
fn its_words_come_its_model_is_found_and_its_limit_is_typed() {
    let llama = Llama::start(WINDOW);
    for provider in ["openai", "router"] {
        let sx = llama.place.sx(["exec", "--json", "hi"]);
        let ran = llama.asking(sx, provider).run();
        let result = ran.result();
        // Random words end by themselves now and then, before they are cut.
        let is_cut = result["error"].to_string().contains("as long as it may be");
        assert!(is_cut || result["status"] == "done", "{result}");
        assert_eq!(ran.events_of("turn").len(), 1, "{}", ran.text());
        assert_eq!(ran.events_of("retry").len(), 0, "{}", ran.text());
        let models = llama.asking(llama.place.sx(["models"]), provider).run();
        assert_eq!(models.check_code(0).text(), "* model.gguf\n");
    }
}

#[test]
fn a_server_that_hangs_up_on_what_is_too_long_is_named() {
    let llama = Llama::start(SMALL_WINDOW);
    let sx = llama.place.sx(["exec", "hi"]);
    let ran = llama.asking(sx, "openai").run();
    ran.check_code(5);
    // It logs the reason, and sends an empty stream.
    ran.check_said("the server ended the stream before it said anything; its log may say why");
}
