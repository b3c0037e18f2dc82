//! The direction of imports, the doors of outside crates, and the files that stay pure.

use super::Finding;
use super::workspace::{Workspace, library_crate};

/// Each crate may import only those before it.
const LAYERS: [&str; 6] = [
    "tractor-ipc",
    "tractor-core",
    "tractor-discovery",
    "tractor-debug",
    "tractor-nursery",
    "tractor",
];

/// Stands beside the layers: any of them may use it, it uses none of them.
const MACROS: &str = "tractor-macros";

/// A crate that is no longer maintained, and the only file that may name it.
const DOORS: [(&str, &str); 2] = [
    ("async_std", "tractor-core/src/rt.rs"),
    ("bincode", "tractor-ipc/src/codec.rs"),
];

/// Modules of pure logic, each with all that lies below it: events in, actions out.
const PURE_MODULES: [&str; 18] = [
    "tractor-ipc/src/codec",
    "tractor-ipc/src/frame",
    "tractor-ipc/src/handshake",
    "tractor-ipc/src/message",
    "tractor-core/src/broadcast/board",
    "tractor-core/src/resource/state",
    "tractor-core/src/stall/judge",
    "tractor-core/src/stream/credit",
    "tractor-core/src/stream/ends",
    "tractor-core/src/stream/frame",
    "tractor-nursery/src/ladder",
    "tractor-nursery/src/pool/dispatch",
    "tractor-nursery/src/pool/window",
    "tractor-debug/src/lock",
    "tractor-debug/src/native",
    "tractor-debug/src/os/linux/refusal",
    "tractor-debug/src/repl",
    "tractor-discovery/src/registrar/table",
];

/// Standard modules (and this project's modules of the same name) that perform something.
const IMPURE_MODULES: [&str; 6] = ["env", "fs", "net", "os", "process", "thread"];

/// What else a pure file cannot name: clocks, executors, sockets, the kernel.
const IMPURE_NAMES: [&str; 9] = [
    "Instant",
    "SystemTime",
    "async",
    "await",
    "async_channel",
    "async_std",
    "futures",
    "getrandom",
    "rustix",
];

/// The manifests import in one direction only.
pub(super) fn direction(workspace: &Workspace, findings: &mut Vec<Finding>) {
    for (path, manifest) in &workspace.manifests {
        let name = manifest
            .get("package")
            .and_then(|package| package.get("name")?.as_str());
        let Some(name) = name.filter(|name| *name == MACROS || LAYERS.contains(name)) else {
            continue;
        };
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            // An expansion can only be tested against the crate that it names.
            if name == MACROS && section == "dev-dependencies" {
                continue;
            }
            let Some(dependencies) = manifest.get(section).and_then(toml::Value::as_table) else {
                continue;
            };
            for dependency in dependencies.keys().filter(|other| !may_import(name, other)) {
                let message = format!("{name} may not import {dependency} ({section})");
                findings.push(Finding::fail(path, 1, message));
            }
        }
    }
}

fn may_import(importer: &str, imported: &str) -> bool {
    let layer = |name: &str| LAYERS.iter().position(|layer| *layer == name);
    match (layer(importer), layer(imported)) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(above), Some(below)) => below < above,
    }
}

/// Two crates stand behind one file each, so that replacing them is a change of one file.
pub(super) fn doors(workspace: &Workspace, findings: &mut Vec<Finding>) {
    for source in workspace.library_sources() {
        for (name, door) in DOORS {
            // The files below the door's own module are part of it.
            let room = format!("{}/", door.trim_end_matches(".rs"));
            if source.path == door || source.path.starts_with(&room) {
                continue;
            }
            for line in source.find(&[name]) {
                findings.push(Finding::fail(
                    &source.path,
                    line,
                    format!("`{name}` is named in {door} only"),
                ));
            }
        }
    }
}

/// Pure modules import no runtime, socket, file, thread or clock; their tests may.
pub(super) fn pure_files(workspace: &Workspace, findings: &mut Vec<Finding>) {
    for module in PURE_MODULES {
        let file = format!("{module}.rs");
        let manifest = library_crate(&file).map(|name| format!("{name}/Cargo.toml"));
        let crate_exists = manifest.is_some_and(|path| workspace.manifests.contains_key(&path));
        if crate_exists && !workspace.files.contains_key(&file) {
            let message = format!("{file} is listed as pure, but does not exist");
            findings.push(Finding::fail("xtask/src/tidy/layers.rs", 1, message));
        }
    }
    for source in workspace.library_sources() {
        let is_pure = PURE_MODULES.iter().any(|module| {
            source
                .path
                .strip_prefix(module)
                .is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
        });
        if !is_pure {
            continue;
        }
        let names = IMPURE_NAMES.iter().flat_map(|name| {
            source
                .find(&[name])
                .into_iter()
                .map(move |line| (line, *name))
        });
        let code_lines = source.code_lines();
        for (line, name) in names.chain(source.find_modules(&IMPURE_MODULES)) {
            if line <= code_lines {
                let message = format!("a pure file does not name `{name}`");
                findings.push(Finding::fail(&source.path, line, message));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::findings;
    use super::*;

    #[test]
    fn a_lower_layer_may_not_import_a_higher_one() {
        let manifest = "[package]\nname = 'tractor-core'\n[dependencies]\ntractor-ipc = '1'\n\
                        serde = '1'\n[dev-dependencies]\ntractor-nursery = '1'\n";
        assert_eq!(
            findings(direction, &[("tractor-core/Cargo.toml", manifest)]),
            ["tractor-core/Cargo.toml:1: error: \
              tractor-core may not import tractor-nursery (dev-dependencies)"]
        );
    }

    #[test]
    fn the_macros_import_no_layer_except_in_their_tests() {
        let manifest = "[package]\nname = 'tractor-macros'\n[dependencies]\ntractor-ipc = '1'\n\
                        [dev-dependencies]\ntractor-core = '1'\n";
        assert_eq!(
            findings(direction, &[("tractor-macros/Cargo.toml", manifest)]).len(),
            1
        );
    }

    #[test]
    fn a_crate_behind_a_door_is_named_there_only() {
        let files = [
            ("tractor-core/src/rt.rs", "use async_std::task;"),
            (
                "tractor-core/src/actor.rs",
                "// async_std\nfn f() { async_std::task::spawn(g()) }",
            ),
            ("tests/all/main.rs", "use async_std::task;"),
        ];
        assert_eq!(
            findings(doors, &files),
            [
                "tractor-core/src/actor.rs:2: error: `async_std` is named in tractor-core/src/rt.rs only"
            ]
        );
    }

    #[test]
    fn a_pure_file_names_no_clock_but_its_tests_may() {
        let text = "use std::time::{Duration, Instant};\n\
                    #[cfg(test)]\nmod tests {\n use std::thread; }\n";
        assert_eq!(
            findings(pure_files, &[("tractor-nursery/src/ladder.rs", text)]),
            ["tractor-nursery/src/ladder.rs:1: error: a pure file does not name `Instant`"]
        );
    }

    #[test]
    fn what_lies_below_a_pure_module_is_pure() {
        let files = [
            (
                "tractor-ipc/src/frame/decoder.rs",
                "use std::io::IoSliceMut;\nuse std::{net::IpAddr};",
            ),
            ("tractor-ipc/src/frames.rs", "use std::net::IpAddr;"),
        ];
        assert_eq!(
            findings(pure_files, &files),
            ["tractor-ipc/src/frame/decoder.rs:2: error: a pure file does not name `net`"]
        );
    }

    #[test]
    fn a_listed_file_that_is_gone_is_reported() {
        let found = findings(pure_files, &[("tractor-debug/Cargo.toml", "")]);
        let lock = "tractor-debug/src/lock.rs is listed as pure";
        assert!(found.iter().any(|text| text.contains(lock)), "{found:?}");
    }
}
