#!/bin/bash
# Makes an instance a search node. User data on AWS, and run as it is by the local hypervisor.
#
#   boot.sh           first boot: bring what belongs to this script, then start the service
#   boot.sh start     prepare, then exec (the service's ExecStart)
#   boot.sh prepare   facts, engine, certificate, configuration, then the checks
#   boot.sh stage     engine and the checks that need no stop: what fails here fails while the process still serves.
#                     With a version: of that one, and it says so, for a script of before knows none
#   boot.sh bundle    (user data) bring the bundle that belongs to this script
#   boot.sh exec      become the search process
#   boot.sh trust     take up the published authorities, while the search process runs (nodes/documents)
#   boot.sh renew     the same, and a new key and certificate
#
# Every start goes through `prepare` again, so that a new version, address or trust takes effect by a restart.
# What differs between AWS and a local stack is an executable on PATH: aws, systemctl, instance-metadata,
# mount-data-volume, issue-certificate, run-search, search-gate, callers. Stand-ins come first on PATH; nodes/bin is last.
# A failed check exits with 78: the service manager does not try again what only a person or a parameter can change.
set -euo pipefail
umask 027

HOME_FOLDER="${INSTANCE_HOME:-/opt/vagus/instance}"
ENGINES="${VAGUS_ENGINES:-/opt/vagus/engines}"
SEARCH="$HOME_FOLDER/search"
FAILED=0
SCRATCH="" # the one half-done folder or file of the moment
trap '[[ -z $SCRATCH ]] || rm -rf "$SCRATCH"' EXIT

say() { printf 'boot: %s\n' "$*" >&2; }
check_failed() {
  printf 'CHECK FAILED: %s: %s\n' "$1" "$2" >&2
  FAILED=1
}
refuse() { # what only a person, or a parameter, can change
  check_failed "$@"
  exit 78
}
later() { # what may be well in a moment: the service manager tries again
  check_failed "$@"
  exit 75
}

# ---------------------------------------------------------------- facts

metadata() { # path below latest/meta-data; empty and false if the instance has no such fact
  if command -v instance-metadata >/dev/null; then
    instance-metadata "$1"
    return
  fi
  local imds="${AWS_EC2_METADATA_SERVICE_ENDPOINT:-http://169.254.169.254}/latest"
  if [[ -z ${IMDS_TOKEN:-} ]]; then
    IMDS_TOKEN="$(curl -sSf -m 5 --retry 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 300' "$imds/api/token")"
  fi
  curl -sSf -m 5 --retry 5 -H "X-aws-ec2-metadata-token: $IMDS_TOKEN" "$imds/meta-data/$1"
}

read_facts() {
  INSTANCE_ID="${INSTANCE_ID:-$(metadata instance-id)}"
  AVAILABILITY_ZONE="${AVAILABILITY_ZONE:-$(metadata placement/availability-zone)}"
  PRIVATE_IP="${PRIVATE_IP:-$(metadata local-ipv4)}"
  AWS_REGION="${AWS_REGION:-$(metadata placement/region)}"
  CLUSTER="${VAGUS_CLUSTER:-$(metadata tags/instance/vagus:cluster)}" || CLUSTER=""
  ROLES="${VAGUS_ROLES:-$(metadata tags/instance/vagus:roles)}" || ROLES=""
  GROUP="${VAGUS_GROUP:-$(metadata tags/instance/vagus:group)}" || GROUP=""
  export AWS_REGION AWS_DEFAULT_REGION="$AWS_REGION" INSTANCE_ID AVAILABILITY_ZONE PRIVATE_IP
  [[ -n $CLUSTER ]] || refuse tags "the instance has no tag vagus:cluster"
  [[ -n $ROLES ]] || refuse tags "the instance has no tag vagus:roles"
}

read_parameters() { # one call; a value may have several lines
  local prefix="/vagus/$CLUSTER/node/" listing line name=""
  declare -gA PARAMETER=()
  listing="$(aws ssm get-parameters-by-path --path "${prefix%/}" --with-decryption \
    --query 'Parameters[].[Name,Value]' --output text)" || later parameters "cannot read $prefix*"
  while IFS= read -r line; do
    if [[ $line == "$prefix"*$'\t'* ]]; then
      name="${line%%$'\t'*}" name="${name#"$prefix"}"
      PARAMETER[$name]="${line#*$'\t'}"
    elif [[ -n $name ]]; then
      PARAMETER[$name]+=$'\n'"$line"
    fi
  done <<<"$listing"
  PARAMETER[heap]="${PARAMETER[heap-$GROUP]:-${PARAMETER[heap]:-}}" # groups of one cluster may differ in size
  # a step writes `formed` once; until then the template's word holds (a deploy must not set `formed` back)
  PARAMETER[formed]="${PARAMETER[formed]:-${PARAMETER[formed-at-first]:-}}"
  # so is `version`: a new one in the fleet file is brought when its upgrade was approved, not by whoever boots next
  PARAMETER[version]="${PARAMETER[version]:-${PARAMETER[version-at-first]:-}}"
  for name in engine version heap zones formed initial-managers; do
    [[ -n ${PARAMETER[$name]:-} ]] || refuse parameters "$prefix$name is not set"
  done
}

manager_eligible() { # lines "address id" of this cluster's manager-eligible instances, sorted by id
  aws ec2 describe-instances \
    --filters "Name=tag:vagus:cluster,Values=$CLUSTER" Name=instance-state-name,Values=pending,running \
    --query "Reservations[].Instances[].[InstanceId,PrivateIpAddress,Tags[?Key=='vagus:roles']|[0].Value]" \
    --output text | awk -F'\t' '$3 ~ /manager/ && $2 != "None" {print $2, $1}' | sort -k2
}

read_managers() { # before the cluster is formed, its managers wait for one another
  local deadline=$((SECONDS + 600)) wanted="${PARAMETER[initial-managers]}" seen
  while :; do
    MANAGERS="$(manager_eligible)" || later managers "cannot describe the cluster's instances"
    seen="$(grep -c . <<<"$MANAGERS" || true)"
    # exactly as many: nodes that begin with different lists could form two clusters
    [[ ${PARAMETER[formed]} == none && $ROLES == *manager* && $seen -ne $wanted ]] || return 0
    ! has_been_a_node || return 0
    ((SECONDS < deadline)) || later managers "$seen of $wanted manager-eligible instances after 10 minutes"
    say "waiting for managers: $seen of $wanted"
    sleep 3
  done
}

has_been_a_node() { # its volume holds a node's state: it waits for nobody, and makes up no list of its own again
  compgen -G "$DATA/search/nodes/*/_state" >/dev/null
}

forming_list() { # prints the managers that form the cluster; nothing for who joins
  local noted="$DATA/vagus/forming"
  [[ ${PARAMETER[formed]} == none && $ROLES == *manager* ]] || return 0
  # a node that stopped before the cluster formed begins again with the list it had: another could form a second
  # cluster, and none at all never the first. One that was in a cluster doesn't look at it
  has_been_a_node || cut -d' ' -f2 <<<"$MANAGERS" | paste -sd, >"$noted"
  [[ ! -e $noted ]] || cat "$noted"
}

# ---------------------------------------------------------------- engine

know_engine() { # what differs between engines' settings: the managers' name, and who brings TLS
  case "${PARAMETER[engine]}" in
  opensearch) MANAGER=cluster_manager SECURED=yes ;;
  elasticsearch) MANAGER=master SECURED="" ;; # without x-pack: it has neither TLS nor users
  *) refuse engine "${PARAMETER[engine]} is neither opensearch nor elasticsearch" ;;
  esac
  local tls="${PARAMETER[tls]:-true}"
  if [[ $SECURED ]]; then
    [[ $tls == true ]] || refuse tls "the parameter tls says $tls: ${PARAMETER[engine]} never runs without"
    return
  fi
  [[ $tls == false ]] || refuse tls "${PARAMETER[engine]} has no TLS here, and the parameter tls does not say false"
  [[ $PRIVATE_IP =~ ^127(\.[0-9]+){3}$ ]] || refuse tls "plain HTTP is for loopback addresses alone, not for $PRIVATE_IP"
  local found
  found="$(served_elsewhere <<<"${PARAMETER[settings]:-}")"
  [[ -z $found ]] || refuse tls "the parameter settings has $found: where and how a node without TLS is reached is no \
matter of settings. Take it out of the fleet file's settings, or run an engine that has TLS"
}

served_elsewhere() { # of settings, the names that say how HTTP or transport is secured, or where it listens
  grep -oE '[A-Za-z_][A-Za-z0-9_.-]*"?[[:space:]]*:' | tr -d '": \t' |
    grep -E '(^|\.)(security|http|transport|network)\.' | paste -sd, - || true
}

manifest() { # a top-level text or number of the engine's manifest
  sed -n -e "s/^ \"$1\": \"\(.*\)\",\{0,1\}$/\1/p" -e "s/^ \"$1\": \([0-9]*\),\{0,1\}$/\1/p" \
    "$ENGINE_HOME/manifest.json"
}

bring_engine() { # baked into the image, else from the artifact bucket
  local label="${PARAMETER[engine]}-${PARAMETER[version]}" bucket="${PARAMETER[artifact-bucket]:-}" file
  ENGINE_HOME="$ENGINES/$label"
  [[ ! -e $ENGINE_HOME/manifest.json ]] || return 0
  [[ -n $bucket ]] || refuse engine "$label is not in the image and the parameter artifact-bucket is not set"
  say "fetching $label from the artifact bucket"
  mkdir -p "$ENGINES"
  SCRATCH="$(mktemp -d "$ENGINES/.fetch-XXXXXX")"
  for file in "$label.tar.gz" "$label.tar.gz.sha256"; do
    aws s3 cp --only-show-errors "s3://$bucket/engines/$file" "$SCRATCH/$file" ||
      later engine "no $file in the artifact bucket"
  done
  (cd "$SCRATCH" && sha256sum --check --status "$label.tar.gz.sha256") ||
    refuse engine "$label.tar.gz does not match its SHA-256"
  tar -xzf "$SCRATCH/$label.tar.gz" -C "$SCRATCH" --no-same-owner
  # looked at before it is in its place: what is there is never fetched again
  [[ -e $SCRATCH/$label/manifest.json ]] || refuse engine "$label.tar.gz has no $label/manifest.json"
  ENGINE_HOME="$SCRATCH/$label" check_engine
  ((FAILED == 0)) || exit 78
  mv "$SCRATCH/$label" "$ENGINE_HOME"
  rm -rf "$SCRATCH"
}

find_java() { # the first JDK that is new enough for the engine
  local home major below
  below="$(manifest java_below)"
  for home in "${VAGUS_JAVA_HOME:-}" "$ENGINE_HOME/jdk" "${JAVA_HOME:-}" /usr/lib/jvm/*; do
    [[ -x $home/bin/java && -r $home/release ]] || continue
    major="$(sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$home/release")"
    ((${major:-0} >= $(manifest java) && ${major:-0} < ${below:-999})) && JAVA="$home/bin/java" && return
  done
  refuse java "no JDK $(manifest java) or newer${below:+, below $below,} in VAGUS_JAVA_HOME, JAVA_HOME or /usr/lib/jvm"
}

lay_out() { # a home of its own per node; the jars are links where the file system allows it
  mkdir -p "$SEARCH"/{bin,config,lib,logs,tmp}
  rm -rf "$SEARCH/modules" "$SEARCH/plugins"
  for part in modules plugins; do
    cp -al "$ENGINE_HOME/$part" "$SEARCH/" 2>/dev/null && continue
    rm -rf "${SEARCH:?}/$part"
    cp -a "$ENGINE_HOME/$part" "$SEARCH/"
  done
  rm -rf "$SEARCH/config/opensearch-security"
  [[ ! $SECURED ]] || cp -r "$NODES/security" "$SEARCH/config/opensearch-security"
}

# ---------------------------------------------------------------- certificate

certificate_fits() { # prints why not
  local folder="$1" key cert
  [[ -s $folder/node.pem && -s $folder/node.key && -s $folder/ca.pem ]] || { echo "there is none" && return 1; }
  openssl verify -CAfile "$folder/ca.pem" -untrusted "$folder/node.pem" "$folder/node.pem" >/dev/null 2>&1 ||
    { echo "it is not signed by the trusted authority, or not valid now" && return 1; }
  openssl x509 -in "$folder/node.pem" -noout -checkend 3600 >/dev/null ||
    { echo "it ends within the hour" && return 1; }
  openssl x509 -in "$folder/node.pem" -noout -checkip "$PRIVATE_IP" | grep -q 'does match' ||
    { echo "it is not for address $PRIVATE_IP" && return 1; }
  certified_names "$folder/node.pem" || { echo "it is not for instance $INSTANCE_ID" && return 1; }
  key="$(openssl pkey -in "$folder/node.key" -pubout)" cert="$(openssl x509 -in "$folder/node.pem" -noout -pubkey)"
  [[ $key == "$cert" ]] || { echo "its key is another one" && return 1; }
}

obtain_certificate() { # a node that was away during a rotation has old files: what is published now is what counts
  [[ $SECURED ]] || return 0
  certificates_folder
  install_trust
  certificate_fits "$CERTIFICATES" >/dev/null || new_certificate
}

held_certificates() { # the folder behind the link; nothing where there is none. Root acts on what the search process's
  # user may have put there: a link to elsewhere would have it remove, or copy, what is not ours
  local named
  [[ -L $CERTIFICATES ]] || return 0
  named="$(readlink "$CERTIFICATES")"
  [[ $named =~ ^certificates-[A-Za-z0-9]+$ && ! -L $SEARCH/config/$named ]] ||
    refuse certificate "$CERTIFICATES leads to $named, which no command of ours made: find out who did, remove the link, \
and start the node again"
  echo "$SEARCH/config/$named"
}

certificates_folder() { # a link: key, certificate and authorities are replaced together, by one rename
  local found held before="$SEARCH/config/certificates-before"
  CERTIFICATES="$SEARCH/config/certificates"
  held_certificates >/dev/null
  # a node of before has the folder itself there
  [[ -L $CERTIFICATES || ! -d $CERTIFICATES ]] || mv "$CERTIFICATES" "$before"
  [[ -e $CERTIFICATES || ! -d $before ]] || ln -sfn "${before##*/}" "$CERTIFICATES"
  held="$(held_certificates)"
  for found in "$SEARCH"/config/{.,}certificates-*; do # what a command that was killed left behind, its key too
    [[ $found == "$held" ]] || rm -rf "$found"
  done
}

install_trust() { # the authorities that this node trusts: as they are published, once they are
  local published held name
  [[ -n ${PARAMETER[trust]:-} ]] || return 0
  published="$(sed '/^$/d' <<<"${PARAMETER[trust]}")"
  openssl x509 -noout <<<"$published" 2>/dev/null || later certificate "the parameter trust holds no certificate"
  [[ ! -e $CERTIFICATES/ca.pem || $published != "$(<"$CERTIFICATES/ca.pem")" ]] || return 0
  SCRATCH="$(mktemp -d "$SEARCH/config/.certificates-XXXXXX")"
  held="$(held_certificates)"
  for name in node.key node.pem; do # a link is copied as one, and then refused: it may lead to what only root reads
    [[ -n $held && (-e $held/$name || -L $held/$name) ]] || continue
    cp -pP "$held/$name" "$SCRATCH/$name"
    [[ -f $SCRATCH/$name && ! -L $SCRATCH/$name ]] ||
      refuse certificate "$held/$name is no file of its own: find out who put it there, remove it, and start the node again"
  done
  printf '%s\n' "$published" >"$SCRATCH/ca.pem"
  take_up
}

take_up() { # the scratch folder becomes the one that the engine watches
  local before="" made="$SEARCH/config/certificates-${SCRATCH##*-}"
  before="$(held_certificates)"
  chmod 750 "$SCRATCH"
  chmod 640 "$SCRATCH"/*.pem # a key keeps the 600 that it was made with
  [[ ! -e $CERTIFICATES ]] || chown -R --reference="$CERTIFICATES/." "$SCRATCH"
  mv "$SCRATCH" "$made"
  SCRATCH="$made"
  ln -s "${made##*/}" "$made/link"
  # a key whose certificate is another's breaks every handshake: a look of the engine between two renames would do
  mv -T "$made/link" "$CERTIFICATES"
  SCRATCH=""
  [[ -z $before ]] || rm -rf "$before"
}

certified_name() {
  echo "$INSTANCE_ID.$CLUSTER.vagus.internal"
}

certified_names() { # either is this node's: before, people were asked for the first, and what fits goes on fitting
  local name
  for name in "$INSTANCE_ID" "$(certified_name)"; do
    ! openssl x509 -in "$1" -noout -checkhost "$name" | grep -q 'does match' || return 0
  done
  return 1
}

new_certificate() { # the key is born here and never leaves the node
  SCRATCH="$(mktemp -d "$SEARCH/config/.certificates-XXXXXX")"
  (umask 077 && openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$SCRATCH/node.key" 2>/dev/null)
  openssl req -new -key "$SCRATCH/node.key" -subj "/O=vagus/CN=node-$INSTANCE_ID" \
    -addext "subjectAltName=DNS:$(certified_name),IP:$PRIVATE_IP" -out "$SCRATCH/node.csr"
  export ARTIFACT_BUCKET="${PARAMETER[artifact-bucket]:-}" ROLE_ID="${PARAMETER[role-id]:-}"
  issue-certificate <"$SCRATCH/node.csr" >"$SCRATCH/chain" ||
    later certificate "the issuer did not sign the request"
  # the chain is leaf first: what follows it is what this node trusts. The engine refuses a file of more than the leaf
  # in which one certificate did not sign the one before
  awk '/BEGIN CERTIFICATE/ {n++} n > 1' "$SCRATCH/chain" >"$SCRATCH/ca.pem"
  awk '/BEGIN CERTIFICATE/ {n++} n == 1' "$SCRATCH/chain" >"$SCRATCH/node.pem"
  rm "$SCRATCH/chain" "$SCRATCH/node.csr"
  certificate_fits "$SCRATCH" >/dev/null || refuse certificate "$(certificate_fits "$SCRATCH")"
  take_up
}

# ---------------------------------------------------------------- configuration

quoted_list() { # a,b -> "a","b"
  echo "\"${1//,/\",\"}\""
}

node_roles() { # a node without any only coordinates
  [[ $ROLES == coordinating ]] || quoted_list "${ROLES//cluster_manager/$MANAGER}"
}

write_settings() { # one YAML flow mapping: a setting of the parameter that repeats one of ours stops the node
  local extra="${PARAMETER[settings]:-}" forming
  extra="${extra#*\{}" extra="${extra%\}*}"
  forming="$(forming_list)"
  [[ -z $forming ]] || forming="\"cluster.initial_${MANAGER}_nodes\": [$(quoted_list "$forming")],"
  cut -d' ' -f1 <<<"$MANAGERS" >"$SEARCH/config/unicast_hosts.txt"
  cat >"$SEARCH/config/${PARAMETER[engine]}.yml" <<END
{
"cluster.name": "$CLUSTER",
"node.name": "$INSTANCE_ID",
"node.attr.zone": "$AVAILABILITY_ZONE",
"node.roles": [$(node_roles)],
"network.host": "$PRIVATE_IP",
"http.port": 9200,
"transport.port": 9300,
"path.data": "$DATA/search",
"path.logs": "$SEARCH/logs",
$forming
"cluster.routing.allocation.awareness.attributes": "zone",
"cluster.routing.allocation.awareness.force.zone.values": [$(quoted_list "${PARAMETER[zones]}")],
$(security_settings)
"discovery.seed_providers": "file"${extra:+,}
$extra
}
END
}

security_settings() {
  [[ $SECURED ]] || return 0
  tls_settings transport
  tls_settings http
  cat <<END
"plugins.security.ssl.http.enabled": true,
"plugins.security.ssl.http.clientauth_mode": "OPTIONAL",
"plugins.security.ssl.transport.enforce_hostname_verification": true,
"plugins.security.ssl.transport.resolve_hostname": false,
"plugins.security.ssl.certificates_hot_reload.enabled": true,
"plugins.security.ssl.http.enforce_cert_reload_dn_verification": false,
"plugins.security.ssl.transport.enforce_cert_reload_dn_verification": false,
"plugins.security.authcz.admin_dn": ["CN=admin,O=vagus"],
"plugins.security.nodes_dn": ["CN=node-*,O=vagus"],
"plugins.security.allow_default_init_securityindex": true,
END
}

tls_settings() {
  cat <<END
"plugins.security.ssl.$1.pemcert_filepath": "certificates/node.pem",
"plugins.security.ssl.$1.pemkey_filepath": "certificates/node.key",
"plugins.security.ssl.$1.pemtrustedcas_filepath": "certificates/ca.pem",
END
}

write_command() { # one argument a line: `exec` reads it without asking anyone
  local properties jvm
  properties="$(manifest properties)"
  read -ra jvm <<<"$(manifest jvm)"
  cp "$NODES/log4j2.properties" "$SEARCH/config/log4j2.properties"
  printf '%s\n' "$JAVA" "-Xms${PARAMETER[heap]}" "-Xmx${PARAMETER[heap]}" -XX:+ExitOnOutOfMemoryError \
    -Dfile.encoding=UTF-8 -Djava.awt.headless=true -Dlog4j2.disable.jmx=true -Dlog4j2.formatMsgNoLookups=true \
    -Dlog4j.shutdownHookEnabled=false \
    -Dio.netty.noUnsafe=true -Dio.netty.noKeySetOptimization=true "-Djava.io.tmpdir=$SEARCH/tmp" "${jvm[@]}" \
    "-D$properties.path.home=$SEARCH" "-D$properties.path.conf=$SEARCH/config" "-D$properties.distribution.type=tar" \
    "-D$properties.bundled_jdk=true" -cp "$ENGINE_HOME/lib/*" "$(manifest main_class)" >"$SEARCH/command"
}

# ---------------------------------------------------------------- checks

check_zone() {
  [[ ",${PARAMETER[zones]}," == *",$AVAILABILITY_ZONE,"* ]] ||
    check_failed zone "$AVAILABILITY_ZONE is not one of the cluster's zones (${PARAMETER[zones]})"
}

check_engine() {
  local is wanted="${PARAMETER[engine]}-${PARAMETER[version]}"
  is="$(manifest engine)-$(manifest version)"
  [[ $is == "$wanted" ]] || check_failed engine "the manifest says $is, the parameter says $wanted"
  local jars='s/^  "\(.*\.jar\)": "\([0-9a-f]\{64\}\)",\{0,1\}$/\2  \1/p'
  (cd "$ENGINE_HOME" && sed -n "$jars" manifest.json | sha256sum --check --status) ||
    check_failed engine "a jar of $wanted is not the one in its manifest"
}

checked_a_moment_ago() { # by `stage`, while the process still served: a node is away no longer than it must be. For one start
  # within ten minutes, unless a file came since: this is against broken packages, not against who may write there
  local noted="$HOME_FOLDER/checked" fresh
  fresh="$(find "$noted" -mmin -10 2>/dev/null)"
  [[ $fresh && $(<"$noted") == "${PARAMETER[engine]}-${PARAMETER[version]}" ]] || fresh=""
  [[ -z $(find "$ENGINE_HOME" -newer "$noted" -print -quit 2>/dev/null) ]] || fresh=""
  rm -f "$noted"
  [[ $fresh ]]
}

check_data() { # an engine ends at once on data of a newer one, at each start. What wrote it last is in its own notes
  local at bit=0 wrote wanted
  at="$(cat "$DATA"/search/nodes/*/_state/segments_* 2>/dev/null |
    LC_ALL=C grep -aoE 'node_version.[0-9]+' | LC_ALL=C grep -aoE '[0-9]+$' | sort -n | tail -n1)" || true
  [[ -n $at ]] || return 0
  # Version.java: two digits for each part, then two more; OpenSearch's have a bit that Elasticsearch's lack
  [[ ${PARAMETER[engine]} != opensearch ]] || bit=$((0x08000000))
  (((at & 0x08000000) == bit)) || return 0 # another engine's: this one says itself what it makes of that
  at="$(((at & ~0x08000000) / 100))"
  wrote="$((at / 10000)).$((at / 100 % 100)).$((at % 100))"
  IFS=.- read -ra wanted <<<"${PARAMETER[version]}"
  ((wanted[0] * 10000 + wanted[1] * 100 + wanted[2] >= at)) ||
    check_failed data "$DATA holds data of ${PARAMETER[engine]} $wrote, which ${PARAMETER[version]} (the parameter \
version) can't read: nodes are not taken back. Have the cluster upgraded to $wrote (\`vagus upgrade $CLUSTER\`). Only \
if every shard has another copy (\`vagus status $CLUSTER\`), have this instance replaced instead: a new one brings the \
version with an empty volume"
}

check_certificate() {
  [[ $SECURED ]] || return 0
  local why
  why="$(certificate_fits "$SEARCH/config/certificates")" || check_failed certificate "$why"
}

check_disk() {
  local free minimum="${PARAMETER[minimum-free-mb]:-1024}"
  if ! mkdir -p "$DATA/search" "$DATA/vagus" || ! (: >"$DATA/vagus/.writable") 2>/dev/null; then
    check_failed disk "$DATA is not writable"
    return
  fi
  free="$(($(df -Pk "$DATA" | awk 'NR == 2 {print $4}') / 1024))"
  ((free >= minimum)) || check_failed disk "$DATA has $free MiB free, needs $minimum"
}

# ---------------------------------------------------------------- what is asked for

find_nodes_folder() { # beside this script, else (as user data) the bundle that is named by its SHA-256
  NODES="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
  [[ ! -d $NODES/security ]] || return 0
  NODES="${VAGUS_NODES:-/opt/vagus/nodes}"
  local bucket="${PARAMETER[artifact-bucket]:-}" bundle="${PARAMETER[nodes-bundle]:-}"
  [[ -n $bucket && -n $bundle ]] || refuse bundle "the parameters artifact-bucket and nodes-bundle are not set"
  SCRATCH="$(mktemp)"
  aws s3 cp --only-show-errors "s3://$bucket/$bundle" "$SCRATCH" || later bundle "no $bundle in the artifact bucket"
  sha256sum --check --status <<<"$(basename "$bundle" .tar.gz)  $SCRATCH" ||
    refuse bundle "$bundle does not match its name"
  mkdir -p "$NODES" && tar -xzf "$SCRATCH" -C "$NODES" --no-same-owner
}

certify() { # while the search process runs: `trust` takes up the published bundle, `renew` a new certificate as well
  find_nodes_folder
  PATH="$PATH:$NODES/bin"
  read_facts
  read_parameters
  know_engine
  [[ $SECURED ]] || refuse certificate "${PARAMETER[engine]} has no certificates of ours"
  [[ -L $SEARCH/config/certificates ]] ||
    refuse certificate "this node has not booted yet: it gets its certificate when it does"
  certificates_folder
  install_trust
  [[ $1 == trust ]] || new_certificate
}

bring_bundle() {
  read_facts
  read_parameters
  find_nodes_folder
}

first_boot() { # no service manager watches over user data: it tries again itself, for as long as it may help
  local code tries=0
  while [[ ! -d "$(dirname "${BASH_SOURCE[0]}")/security" ]]; do
    code=0
    bash "${BASH_SOURCE[0]}" bundle || code=$?
    ((code == 0)) && break
    ((code == 75 && ++tries < 40)) || exit "$code"
    say "trying again in ${VAGUS_RETRY_SECONDS:-15} s"
    sleep "${VAGUS_RETRY_SECONDS:-15}"
  done
  NODES="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
  [[ -d $NODES/security ]] || NODES="${VAGUS_NODES:-/opt/vagus/nodes}"
  systemctl link "$NODES/vagus-search.service"
  exec systemctl enable --now vagus-search
}

prepare() {
  find_nodes_folder
  PATH="$PATH:$NODES/bin"
  read_facts
  read_parameters
  know_engine
  rm -f "$SEARCH/command" # what a failed check leaves cannot be started
  DATA="$(mount-data-volume)" || later disk "the data volume cannot be mounted"
  bring_engine
  lay_out
  find_java
  obtain_certificate
  check_zone
  checked_a_moment_ago || check_engine
  check_data
  check_certificate
  check_disk
  ((FAILED == 0)) || exit 78
  read_managers
  write_settings
  write_command
  echo "$DATA" >"$SEARCH/data-folder"
  echo "$PRIVATE_IP" >"$SEARCH/address"
}

stage() { # nothing that a running process uses is touched. $1: of this version, whatever the parameter says
  find_nodes_folder
  PATH="$PATH:$NODES/bin"
  read_facts
  read_parameters
  PARAMETER[version]="${1:-${PARAMETER[version]}}"
  know_engine
  DATA="$(mount-data-volume)" || later disk "the data volume cannot be mounted"
  rm -f "$HOME_FOLDER/checked"
  bring_engine
  find_java
  check_zone
  check_engine
  check_data
  ((FAILED == 0)) || exit 78
  echo "${PARAMETER[engine]}-${PARAMETER[version]}" >"$HOME_FOLDER/checked"
  [[ -z ${1:-} ]] || echo "staged $1"
}

start() { # one process from the checks to the search: the service manager heeds a 78 of its main process alone
  bash "${BASH_SOURCE[0]}" prepare
  [[ -z ${NOTIFY_SOCKET:-} ]] || systemd-notify --ready # until here `systemctl start` waits, and can fail
  unset NOTIFY_SOCKET
  become_search
}

become_search() {
  local command state
  find_nodes_folder
  PATH="$PATH:$NODES/bin"
  state="$(<"$SEARCH/data-folder")/vagus"
  mapfile -t command <"$SEARCH/command"
  cd "$SEARCH"
  # a step was decided on a process: what started after that decision is another process (nodes/documents)
  date +%s%3N >"$state/started"
  rm -f "$state/stopped" "$state/serving"
  if [[ -e config/certificates/ca.pem ]]; then
    callers keep "$(<address)" || true # it has said why; a node starts all the same
    search-gate "$(<address)" config/certificates/ca.pem $$ "$state/serving" ||
      say "no gate: the port opens before security is ready"
  fi
  export LIBFFI_TMPDIR="$SEARCH/tmp" # Elasticsearch doesn't start without it
  exec run-search "${command[@]}"
}

case "${1:-}" in
"") first_boot ;;
start) start ;;
prepare) prepare ;;
stage) stage "${2:-}" ;;
exec) become_search ;;
bundle) bring_bundle ;;
trust | renew) certify "$1" ;;
*) echo "usage: boot.sh [start|prepare|stage|exec|bundle|trust|renew]" >&2 && exit 64 ;;
esac
