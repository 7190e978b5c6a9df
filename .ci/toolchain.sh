# Sourced from the root of the project: puts a cargo that can build sx first in PATH, with a linker.
#
# rustup's toolchain comes first, then any other that is new enough. It is found where PATH does not
# name it and where HOME is not the home it was installed in. What Debian has and is missing is
# installed, and said so in one line; on other systems one line says what is missing.

# Ends with one line on stderr.
fail() {
    echo "sx: $*" >&2
    exit 1
}

# Installs those of the named Debian packages that are missing.
install_packages() {
    missing=
    for package; do
        is_installed "$package" || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    is_debian || fail "missing here:$missing (by Debian's names); please install them"
    as_root=
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || fail "not root and no sudo; please run: apt-get install$missing"
        as_root=sudo
    fi
    echo "sx: installing with apt-get:$missing" >&2
    # An old list may do; if not, what follows fails and shows what apt-get said.
    said=$($as_root apt-get update -qq 2>&1) || true
    said=$said$($as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
        --no-install-recommends -o DPkg::Lock::Timeout=300 $missing 2>&1) || {
        echo "$said" >&2
        fail "apt-get could not install:$missing"
    }
}

is_debian() {
    command -v apt-get >/dev/null && command -v dpkg-query >/dev/null
}

is_installed() {
    [ "$(dpkg-query -W -f='${Status}' "$1" 2>/dev/null)" = "install ok installed" ]
}

# The first file of Debian package $1 whose path ends with $2.
file_of() {
    dpkg-query -L "$1" | grep -m 1 "$2\$" || fail "Debian's $1 has no $2"
}

# Whether the cargo in folder $1 runs and is at least the version that Cargo.toml asks for.
can_build() {
    "$1/cargo" --version 2>/dev/null | awk -v least="$rust_version" '
        { split(least, a, "."); split($2, b, "."); ok = b[1] > a[1] || b[1] == a[1] && b[2] >= a[2] }
        END { exit !ok }'
}

# Puts the first cargo that can build sx first in PATH.
find_cargo() {
    rust_version=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    passwd_home=$(getent passwd "$(id -u)" 2>/dev/null | cut -d : -f 6) || passwd_home=
    on_path=$(command -v cargo) || on_path=/nowhere/cargo
    old_rustup_home=${RUSTUP_HOME-}
    for folder in "${CARGO_HOME:-/nowhere}/bin" "${HOME:-/nowhere}/.cargo/bin" \
        "$passwd_home/.cargo/bin" "${on_path%/cargo}"; do
        [ -x "$folder/cargo" ] || continue
        if [ -z "$old_rustup_home" ]; then
            # rustup looks below HOME; its toolchains lie beside the .cargo that it came with.
            unset RUSTUP_HOME
            beside=${folder%/.cargo/bin}/.rustup
            [ ! -d "$beside" ] || export RUSTUP_HOME="$beside"
        fi
        PATH="$folder:$PATH"
        ! can_build "$folder" || return 0
        # The default may be an older toolchain, with stable beside it.
        ! RUSTUP_TOOLCHAIN=stable can_build "$folder" || {
            export RUSTUP_TOOLCHAIN=stable
            return 0
        }
    done
    fail "no cargo $rust_version or newer here; https://rustup.rs installs one"
}

# Whether there are a C compiler, for ring and as the linker, and the start files of a C library,
# which Debian's gcc does not bring by itself.
can_link() {
    command -v cc >/dev/null && [ "$(cc -print-file-name=crt1.o)" != crt1.o ]
}

find_cargo
can_link || install_packages gcc libc6-dev
