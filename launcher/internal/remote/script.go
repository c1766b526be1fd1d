package remote

import "strings"

// The host's half of Start. It says "host" and what uname says, and reads a line
//
//	<system> <machine> <sha256> <bytes> cache|fresh|temp <the agent's arguments>
//
// which the launcher may have sent long before. For another system or machine than
// its own it says "other" and reads the next. Then it says "have" and becomes the
// agent, or "need" and why the cache cannot be used, and takes the bytes; when they
// are a program that knows itself by that sum it says "staged" and becomes that.
//
// The binaries lie in a directory that only the user can write. It is entered
// first and looked at then, so it cannot be exchanged; a link is refused. A binary
// gets its name when it is whole. The read command takes no byte too many; what
// head takes too many does not exist, since the launcher waits for the answer.
//
// No quote, backslash, exclamation mark or line end may be within: so the line means
// the same to every login shell, whether of Bourne's family, C shells, or fish.
const script = `
_u=$(umask);
umask 077;
say() { echo "muster:$_n $*"; };
bye() { say failed "$@"; exit 1; };
set -- $(uname -snrm);
say host "$*";
_i="$1 $4";
while :; do
  read -r _s _m _h _z _k _a || exit 0;
  [ "$_s $_m" = "$_i" ] && break;
  say other;
done;
_f=muster-$_h;
_g=.new-$_n;
_t=;
_e=;
trap "exit 1" 1 13 15;
leave() { rm -f $_g; [ -z "$_t" ] || { cd /; rm -rf "$_t"; }; };
trap leave 0;
cache() {
  _c=${XDG_CACHE_HOME:-$HOME/.cache};
  case $_c in /.cache) _w="HOME is not set"; return 1;; /*) ;; *) _c=$HOME/.cache;; esac;
  _d=$_c/muster/agent;
  _p=$_d;
  if [ -h "$_c/muster" ] || [ -h "$_d" ]; then _w="$_d is a symbolic link"; return 1; fi;
  [ -d "$_d" ] || mkdir -p "$_d" || { _w="$_d cannot be made"; return 1; };
  cd -P "$_d" || { _w="$_d cannot be entered"; return 1; };
  [ -O . ] || { _w="$_d belongs to another user"; return 1; };
  _l=$(ls -ldn . $_f 2>/dev/null);
  case $_l in drwx?-??-*) ;; *) _w="others may write to $_d"; return 1;; esac;
};
room() {
  (: >$_g) && chmod 700 $_g || { rm -f $_g; _w="$_p cannot be written"; return 1; };
  [ -x $_g ] || { rm -f $_g; _w="$_p is mounted noexec"; return 1; };
};
temp() {
  _v=$_w;
  for _p in "$TMPDIR" "$XDG_RUNTIME_DIR" /tmp /var/tmp /dev/shm; do
    case $_p in /*) ;; *) continue;; esac;
    _d=$_p/muster-$_n;
    mkdir "$_d" && cd -P "$_d" && [ -O . ] || continue;
    room && _t=$_d && _e=--ephemeral && _w=$_v && return 0;
    cd /;
    rmdir "$_d";
  done;
  return 1;
};
_w="the cache is full";
if [ $_k = temp ]; then temp || bye place "$_w";
elif cache; then
  if [ $_k = cache ] && [ -f $_f ] && [ -x $_f ]; then
    case $_l in *" $_z "*)
      trap - 0 1 13 15;
      umask $_u;
      say have;
      exec ./$_f $_a --stdio=$_n;;
    esac;
  fi;
  _w=;
  room || temp || bye place "$_w";
else temp || bye place "$_w"; fi;
say need $_w;
head -c $_z >$_g || bye write "$_p";
[ $(wc -c <$_g) -eq $_z ] || bye short;
_c=$(./$_g $_a --digest) || bye run "$_p";
[ "$_c" = $_h ] || bye sum "$_c";
mv -f $_g $_f || bye write "$_p";
if [ -z "$_t" ]; then
  _l=0;
  for _x in $(ls -t); do case $_x in muster-*) _l=$((_l+1)); [ $_l -le 4 ] || rm -f $_x;; esac; done;
  find . -name ".new-*" -mtime +0 -exec rm -f {} +;
fi;
umask $_u;
say staged;
exec ./$_f $_a --stdio=$_n $_e`

// remoteCommand is the script as one line for a login shell. The nonce is not written
// next to the word that it marks in answers: a shell that shows what it runs is
// not answering.
func remoteCommand(nonce string) string {
	lines := strings.Fields("_n=" + nonce + "; " + script)
	return "exec /bin/sh -c '" + strings.Join(lines, " ") + "'"
}

// mark begins each line of answer.
func mark(nonce string) string { return "muster:" + nonce + " " }
