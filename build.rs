//! Makes the folder of the built pages, so that a fresh clone compiles before they are built.

fn main() {
    println!("cargo::rerun-if-changed=web/dist");
    if let Err(error) = std::fs::create_dir_all("web/dist") {
        println!("cargo::warning=web/dist cannot be made: {error}");
    }
}
