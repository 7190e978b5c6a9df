#!/bin/sh
# Makes the certificates of the TLS tests anew, in this folder. They hold from 2000 to 2126, so this
# was run once; the keys of the authorities are thrown away. Needs openssl 3.
#
#   root.pem      a private authority: CN=Test Root,O=Example\, Inc.
#   server.pem    localhost, *.h.test, 127.0.0.1 and ::1, issued by the root
#   middle.pem    an authority below the root
#   below.pem     localhost, issued by the middle one
#   expired.pem   localhost, issued by the root, over since 2021
#   future.pem    localhost, issued by the root, not valid before 2125
#   alone.pem     localhost, issued by itself, as `openssl req -x509` makes it
#   client.pem    a client, issued by the root
#   rsa.pem       a subject of many kinds of text, no names, an RSA key
#   key.pem       the one key of all leaves (PKCS #8); sec1.pem is the same in its older form, and
#                 locked.pem the same behind a password
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/ca.conf" <<CONF
[ca]
default_ca=this
[this]
database=$work/index
unique_subject=no
rand_serial=yes
new_certs_dir=$work
default_md=sha256
preserve=yes
policy=any
[any]
organizationName=optional
commonName=optional
CONF
: >"$work/index"

# issue RESULT KEY SUBJECT EXTENSIONS [openssl ca's options]
issue() {
	result=$1
	printf '%b\n' "$4" >"$work/ext"
	openssl req -new -key "$2" -subj "$3" -out "$work/csr"
	shift 4
	openssl ca -batch -notext -config "$work/ca.conf" -in "$work/csr" -extfile "$work/ext" \
		-startdate 20000101000000Z -enddate 21260101000000Z "$@" -out "$result"
}

for name in root middle; do openssl ecparam -name prime256v1 -genkey -noout -out "$work/$name"; done
openssl ecparam -name prime256v1 -genkey -noout -out sec1.pem
openssl pkcs8 -topk8 -nocrypt -in sec1.pem -out key.pem
openssl pkcs8 -topk8 -in key.pem -passout pass:x -out locked.pem

authority='basicConstraints=critical,CA:TRUE'
leaf='basicConstraints=critical,CA:FALSE\nsubjectAltName=DNS:localhost'
by_root="-cert root.pem -keyfile $work/root"

issue root.pem "$work/root" '/O=Example, Inc./CN=Test Root' "$authority" \
	-selfsign -keyfile "$work/root"
# shellcheck disable=SC2086
{
	issue middle.pem "$work/middle" '/CN=Test Middle' "$authority" $by_root
	issue server.pem key.pem '/CN=localhost' "$leaf,DNS:*.h.test,IP:127.0.0.1,IP:::1" $by_root
	issue expired.pem key.pem '/CN=expired' "$leaf" $by_root -enddate 20210102030405Z
	issue future.pem key.pem '/CN=future' "$leaf" $by_root -startdate 21250101000000Z
	issue client.pem key.pem '/CN=client' 'extendedKeyUsage=clientAuth' $by_root
}
issue below.pem key.pem '/CN=below' "$leaf" -cert middle.pem -keyfile "$work/middle"
issue alone.pem key.pem '/CN=alone' "$authority\nsubjectAltName=DNS:localhost" \
	-selfsign -keyfile key.pem

openssl req -x509 -newkey rsa:2048 -nodes -keyout /dev/null -utf8 -multivalue-rdn -days 36500 \
	-subj '/C=DE/O=#B\+üro; "x"/DC=example/emailAddress=a@b/UID=7+CN= x' -out rsa.pem
