// The program of the initramfs: loads the modules, finds the root, hands over. For a static busybox.

/** What it says when it begins; by this line a launcher times it. */
export const INIT_STARTED = "fsynth: init";

/** How its line starts when there is no way on. */
export const INIT_FAILED = "fsynth: cannot boot: ";

/** The serial number of the root disk. */
export const ROOT_DISK = "root";

/** In the order of Linux (init/main.c), after what supermin's roots have. */
const INITS = "/sbin/init /init /etc/init /bin/init /bin/sh";

/** How long it waits for the console, and for the root, to appear; seconds. */
const PATIENCE = 20;

/**
 * The script. It reads `root=` (`UUID=`, `LABEL=`, `SERIAL=` of a virtio disk, or a device), `rootfstype=`, `rootflags=`,
 * `ro`, `rw` and `init=` from the kernel's command line, as the kernel itself would.
 */
export const initScript = `#!/bin/busybox sh
# Made by fsynth.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
console() { (true > /dev/console) 2> /dev/null; }
console && heard=yes || heard=
echo "${INIT_STARTED}"

fail() {
  echo "${INIT_FAILED}$*"
  sleep 1
  poweroff -f
  sleep 60
}

# Spaces never stand in a kernel's arguments, as far as this script uses them.
root= type= flags= mode= init=
for word in $(cat /proc/cmdline); do
  case $word in
    root=*) root=\${word#root=} ;;
    rootfstype=*) type=\${word#rootfstype=} ;;
    rootflags=*) flags=\${word#rootflags=} ;;
    init=*) init=\${word#init=} ;;
    ro | rw) mode=$word ;;
  esac
done

while read -r module; do
  insmod "/modules/$module.ko" || echo "fsynth: module $module was not loaded"
done < /modules/order

seconds() { cut -d . -f 1 /proc/uptime; }

# A virtio console comes only now, and some time after its driver: whoever starts without one has no input and output either.
if [ -z "$heard" ] && [ -e /modules/virtio_console.ko ]; then
  end=$(($(seconds) + ${PATIENCE}))
  until console || [ "$(seconds)" -ge $end ]; do usleep 50000; done
  console && exec < /dev/console > /dev/console 2>&1
  echo "${INIT_STARTED}"
fi

hex() { # DEVICE OFFSET LENGTH
  dd if="$1" bs=1 skip="$2" count="$3" 2> /dev/null | hexdump -v -e '1/1 "%02x"'
}
trimmed() { sed 's/\\(00\\)*$//'; }
reversed() { sed 's/\\(..\\)\\(..\\)\\(..\\)\\(..\\)/\\4\\3\\2\\1/g'; }

identity() { # DEVICE: its UUID without dashes, and its label, in hexadecimal
  uuid= label=
  if [ "$(hex "$1" 1080 2)" = 53ef ]; then
    uuid=$(hex "$1" 1128 16) label=$(hex "$1" 1144 16 | trimmed)
    return
  fi
  for at in 65536 8192; do
    case $(hex "$1" $((at + 1372)) 4) in
      54190100 | 19015419) uuid=$(hex "$1" $((at + 144)) 8 | reversed) ;;
      00011954 | 19540119) uuid=$(hex "$1" $((at + 144)) 8) ;;
      *) continue ;;
    esac
    label=$(hex "$1" $((at + 680)) 32 | trimmed)
    return
  done
}

device=
find_root() {
  case $root in
    UUID=*) wanted=$(echo "\${root#UUID=}" | tr -d - | tr A-F a-f) ;;
    LABEL=*) wanted=$(printf %s "\${root#LABEL=}" | hexdump -v -e '1/1 "%02x"') ;;
    SERIAL=*) wanted=\${root#SERIAL=} ;;
    *)
      [ -b "$root" ] && device=$root
      return
      ;;
  esac
  for name in $(disks); do
    found=/dev/$name
    [ -b "$found" ] || continue
    case $root in
      UUID=*) identity "$found"; has=$uuid ;;
      LABEL=*) identity "$found"; has=$label ;;
      *) has=$(cat "/sys/block/$name/serial" 2> /dev/null) ;;
    esac
    [ "$has" = "$wanted" ] && device=$found && return
  done
}

disks() { # Of several copies, the one that was meant comes first.
  for block in /sys/block/*; do
    [ "$(cat "$block/serial" 2> /dev/null)" = ${ROOT_DISK} ] && echo "\${block##*/}"
  done
  ls /sys/block
}

[ -n "$root" ] || fail "the kernel's command line has no root="
end=$(($(seconds) + ${PATIENCE}))
while find_root; [ -z "$device" ]; do
  [ "$(seconds)" -lt $end ] || fail "no disk is $root; there is" $(ls /sys/block)
  usleep 100000
done

mkdir -p /root
mount \${type:+-t "$type"} -o "\${mode:-rw}\${flags:+,$flags}" "$device" /root ||
  fail "$device ($root) was not mounted\${type:+ as $type}"
echo "fsynth: root $root is $device"

if [ -z "$init" ]; then
  for init in ${INITS} ""; do
    [ -e "/root$init" ] || [ -h "/root$init" ] && [ -n "$init" ] && break
  done
  [ -n "$init" ] || fail "the root has none of ${INITS}"
fi
[ -e "/root$init" ] || [ -h "/root$init" ] || fail "the root has no $init"

[ -d /root/dev ] && mount --move /dev /root/dev
umount /sys /proc
# The guest starts with the environment that the kernel gave.
unset PATH
exec /bin/busybox switch_root /root "$init"
`;
