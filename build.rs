//! Makes the release binary smaller. The unwind tables are left out: it aborts on a panic, so nothing ever reads them, and they
//! are a tenth of its size. The linker drops them, because those of the standard library are in its compiled form; and it folds
//! functions that came out the same. Only on the platform whose size is checked, and not for tests, which do unwind.

use std::path::Path;

/// For the linker, beside its own layout. The C runtime's first and last pieces point into the tables, so they keep theirs.
const DISCARD: &str = "SECTIONS
{
  /DISCARD/ : { *(EXCLUDE_FILE(*crtbegin*.o *crtend*.o) .eh_frame) *(.gcc_except_table .gcc_except_table.*) }
}
INSERT AFTER .text;
";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|found| found == value);
    let static_linux = is("TARGET", "x86_64-unknown-linux-gnu")
        && std::env::var("CARGO_CFG_TARGET_FEATURE")
            .is_ok_and(|all| all.split(',').any(|one| one == "crt-static"));
    if is("PROFILE", "release") && static_linux {
        let out = std::env::var("OUT_DIR").expect("cargo says where to write");
        let script = Path::new(&out).join("discard.ld");
        std::fs::write(&script, DISCARD).expect("the linker script is written");
        println!("cargo::rustc-link-arg-bins=-Wl,-T,{}", script.display());
        println!("cargo::rustc-link-arg-bins=-Wl,--icf=all,-O2");
    }
}
