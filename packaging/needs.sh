# What the commands in this folder need from the machine, and how they get it. To be sourced, after `root` is set.
#
# Each line of a table names one need by the probe that finds it, then the package that has it on
# Debian and Ubuntu, then on Fedora. A probe is a command, an absolute path, or one of the names
# known to `present`. Probes, not package databases, decide: whoever built slapd by hand has slapd.
#
# shellcheck shell=sh disable=SC2034,SC2154 # tables and `root`, `needs` are shared with the sourcing script

build_needs='
cc                          gcc               gcc
c-headers                   libc6-dev         glibc-devel
pkg-config                  pkg-config        pkgconf-pkg-config
openssl-headers             libssl-dev        openssl-devel
/etc/ssl/certs              ca-certificates   ca-certificates
'

# The client commands that the demonstration prints.
demo_needs='
mosquitto_pub               mosquitto-clients mosquitto
mosquitto_sub               mosquitto-clients mosquitto
openssl                     openssl           openssl
curl                        curl              curl
ldapsearch                  ldap-utils        openldap-clients
'

# A domain controller, and who changes what is in it.
samba_needs='
ldapsearch                  ldap-utils        openldap-clients
samba                       samba             samba-dc
samba-tool                  samba-common-bin  samba-dc-provision
ldb/acl.so                  samba-dsdb-modules samba-dc
vfs/acl_xattr.so            samba-vfs-modules samba
/usr/share/samba/setup      samba-ad-provision samba-dc-provision
'

# The same for a build with Kerberos.
kerberos_needs="$samba_needs"'
ktutil                      krb5-user         krb5-workstation
krb5-headers                libkrb5-dev       krb5-devel
libclang                    libclang-dev      clang-devel
'

# The neighbours that the tests start on loopback ports, and the tools that give a second opinion.
test_needs="$samba_needs"'
slapd                       slapd             openldap-servers
ns-slapd                    389-ds-base       389-ds-base
postfix                     postfix           postfix
dovecot                     dovecot-core      dovecot
/usr/lib/dovecot/lmtp       dovecot-lmtpd     dovecot
swaks                       swaks             swaks
named                       bind9             bind
dnssec-signzone             bind9-utils       bind-dnssec-utils
delv                        bind9-dnsutils    bind-utils
dig                         bind9-dnsutils    bind-utils
unbound                     unbound           unbound
mosquitto                   mosquitto         mosquitto
mosquitto_pub               mosquitto-clients mosquitto
mosquitto_sub               mosquitto-clients mosquitto
paho                        python3-paho-mqtt python3-paho-mqtt
npm                         npm               npm
venv                        python3-venv      python3
chromium                    chromium          chromium
chromedriver                chromium-driver   chromedriver
openssl                     openssl           openssl
curl                        curl              curl
zbarimg                     zbar-tools        zbar
node                        nodejs            nodejs
softhsm2-util               softhsm2          softhsm
pki                         strongswan-pki    strongswan
/usr/lib/ipsec/plugins/libstrongswan-openssl.so libstrongswan-standard-plugins strongswan
/usr/lib/ipsec/plugins/libstrongswan-curl.so libstrongswan-extra-plugins strongswan
lego                        lego              lego
certbot                     certbot           certbot
faketime                    faketime          libfaketime
ps                          procps            procps-ng
ip                          iproute2          iproute
'

# The benchmark's peer, and its yardstick.
bench_needs='
mosquitto                   mosquitto         mosquitto
openssl                     openssl           openssl
'

# Servers live in sbin, which an ordinary login leaves out of its path.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
# A bare environment (cron, some runners) has no HOME, and cargo and rustup both look there.
HOME=${HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)}
export PATH HOME

say() { printf '%s\n' "$*" >&2; }

die() {
    say "$@"
    exit 1
}

# Puts a Rust toolchain that is new enough for this workspace first in the path, or says how to get one.
find_rust() {
    wanted=$(sed -n 's/^rust-version = "\([0-9.]*\)"$/\1/p' "$root/Cargo.toml")
    : "${wanted:?Cargo.toml names no rust-version}"
    login_path=$PATH
    found=
    # The distribution's own compiler may be too old while rustup's stands, unlisted, in the home folder.
    for dir in '' "${CARGO_HOME:-$HOME/.cargo}/bin" /usr/local/cargo/bin; do
        if [ -n "$dir" ] && [ ! -x "$dir/cargo" ]; then continue; fi
        PATH=${dir:+$dir:}$login_path
        version=$(cd "$root" && cargo --version >/dev/null 2>&1 && rustc --version 2>/dev/null) || continue
        version=${version#rustc }
        version=${version%%[ -]*}
        if at_least "$version" "$wanted"; then return 0; fi
        found="${found:+$found, }$version"
    done

    say "Chancery needs Rust $wanted or newer; here is: ${found:-none}."
    if command -v rustup >/dev/null; then
        die "Get it with:   rustup toolchain install stable && rustup default stable
and run this command again."
    fi
    command -v curl >/dev/null || say "(The next line uses curl; on Debian and Ubuntu: apt-get install -y curl ca-certificates)"
    die "Get it with:   curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y
and run this command again; it looks in $HOME/.cargo/bin by itself."
}

# at_least FOUND WANTED: versions as 1.95.0 and 1.88, compared by their first two numbers.
at_least() {
    found_minor=${1#*.}
    wanted_minor=${2#*.}
    [ "${1%%.*}" -gt "${2%%.*}" ] && return 0
    [ "${1%%.*}" -eq "${2%%.*}" ] && [ "${found_minor%%.*}" -ge "${wanted_minor%%.*}" ]
}

# The formatter and the linter are separate parts of a toolchain, absent from rustup's minimal profile.
find_rust_components() {
    if cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1; then return 0; fi
    if command -v rustup >/dev/null && (cd "$root" && rustup component add rustfmt clippy) >&2; then return 0; fi
    die "The tests check format and lints: this toolchain lacks rustfmt or clippy, and they could not be added."
}

# install_missing TABLE: makes every need of the table present, or says exactly what to install.
install_missing() {
    [ -n "$(missing "$1" 1)" ] || return 0
    if ! command -v apt-get >/dev/null; then tell_what_to_install "$1"; fi

    packages=$(missing "$1" 2)
    say "Installing: $packages"
    # shellcheck disable=SC2086 # the list is meant to become words
    as_root sh "$root/packaging/install-debs" $packages ||
        die "These packages could not be installed: $packages"
    left=$(missing "$1" 1)
    [ -z "$left" ] || die "Installed, but still not found: $left"
}

tell_what_to_install() {
    say "This command installs packages only with apt. Please install, then run it again:"
    if command -v dnf >/dev/null; then
        die "    dnf install $(missing "$1" 3)"
    fi
    say "    needed: $(missing "$1" 1)"
    die "    (in Debian these are in the packages: $(missing "$1" 2))"
}

# missing TABLE COLUMN: that column of every need that is absent, each word once, on one line.
missing() {
    printf '%s' "$1" | while read -r probe debian fedora; do
        if [ -z "$probe" ] || present "$probe"; then continue; fi
        case $2 in
            1) echo "$probe" ;;
            2) echo "$debian" ;;
            3) echo "$fedora" ;;
        esac
    done | sort -u | tr '\n' ' ' | sed 's/ $//'
}

present() {
    case $1 in
        c-headers) printf '#include <stdlib.h>\n' | cc -fsyntax-only -x c - 2>/dev/null ;;
        openssl-headers) pkg-config --exists openssl 2>/dev/null ;;
        paho) /usr/bin/python3 -c 'import paho.mqtt.client' 2>/dev/null ;;
        krb5-headers) pkg-config --exists krb5-gssapi 2>/dev/null ;;
        # Each architecture has a folder of its own.
        ldb/* | vfs/*) [ -n "$(find -L /usr/lib /usr/lib64 -path "*/samba/$1" 2>/dev/null | head -n 1)" ] ;;
        libclang) [ -n "$(find -L /usr/lib /usr/lib64 -name libclang.so 2>/dev/null | head -n 1)" ] ;;
        venv) /usr/bin/python3 -c 'import ensurepip' 2>/dev/null ;;
        # Fedora keeps Dovecot's servers in libexec.
        /usr/lib/dovecot/*) [ -e "$1" ] || [ -e "/usr/libexec/dovecot/${1##*/}" ] ;;
        # An empty folder of trusted roots is as good as none.
        /etc/ssl/certs) [ -n "$(ls /etc/ssl/certs 2>/dev/null)" ] ;;
        /*) [ -e "$1" ] ;;
        *) command -v "$1" >/dev/null ;;
    esac
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "This needs root, and there is no sudo. As root, run:  $*"
    fi
}

# step_down SCRIPT ARGUMENTS…: when somebody typed `sudo sh packaging/…` in a checkout of their own, installs
# what `needs` lists and starts the script again as that person. Their toolchain is in their home, and a build
# by root would leave files that they cannot remove.
step_down() {
    [ "$(id -u)" -eq 0 ] || return 0
    case ${SUDO_USER:-root} in
        root) return 0 ;;
        "$(stat -c %U "$root")") ;;
        *) return 0 ;;
    esac
    install_missing "$needs"
    caller_home=$(getent passwd "$SUDO_USER" | cut -d: -f6)
    exec env HOME="$caller_home" USER="$SUDO_USER" LOGNAME="$SUDO_USER" runuser -u "$SUDO_USER" -- sh "$@"
}
