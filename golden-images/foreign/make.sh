#!/usr/bin/env bash
# Makes the images of other programs that our readers are held to: golden-images/foreign/MAKER-CASE/{image.gz,command.txt}, on Debian
# 12 as root, with e2fsprogs, genext2fs, makefs, cpio, bsdtar and GNU tar. Run with the names of cases it makes only these. The trees
# in them are written by `FSYNTH_UPDATE=1 npx vitest run test/golden-foreign.test.ts`, which compares each with the source first.
set -euo pipefail
export LC_ALL=C TZ=UTC PATH="$PATH:/usr/sbin:/sbin" E2FSPROGS_FAKE_TIME=1700000000
umask 022
top=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
wanted=" $* "

mkdir -p src/bin src/dev src/etc src/run src/many src/deep/er/still
cp /dev/null src/empty
printf 'golden\n' > src/etc/hostname
ln src/etc/hostname src/etc/name
ln -s ../etc/hostname src/bin/short
ln -s "$(printf 'long/%.0s' {1..40})end" src/long
mknod -m 600 src/dev/console c 5 1
mknod -m 660 src/dev/disk b 7 200
mkfifo -m 622 src/run/fifo
seq 1 4000 > src/bin/tool
chmod 4755 src/bin/tool
chown 1000:1001 src/etc/hostname
chmod 1777 src/run
for i in {01..60}; do printf '%s' "$i" > "src/many/file-$i"; done
printf x > "src/$(printf 'n%.0s' {1..150})"
printf y > $'src/\xff\xfe'
printf z > 'src/grüße'
printf front > src/sparse
printf middle | dd of=src/sparse bs=1 seek=131072 conv=notrunc status=none
truncate -s 300000 src/sparse
cp -a src plain
setfattr -n user.note -v value src/etc/hostname
setfattr -n user.long -v "$(printf '0123456789%.0s' {1..20})" src/bin/tool
find src plain -exec touch -h -d @1700000000 {} +

# make NAME VERSION COMMAND: the command is run in a folder with src (and plain, without xattrs); it makes the file `image`.
make() {
  [ "$wanted" = "  " ] || [[ $wanted == *" $1 "* ]] || return 0
  rm -rf image
  bash -euo pipefail -c "$3" > log 2>&1 || { cat log; echo "$1 failed"; exit 1; }
  mkdir -p "$top/$1"
  gzip -9n < image > "$top/$1/image.gz"
  printf '%s\n\n%s\n' "$2" "$3" > "$top/$1/command.txt"
}

e2=$(mke2fs -V 2>&1 | head -1)
uuid='-U 12345678-1234-4234-8234-123456789abc -E hash_seed=12345678-1234-4234-8234-123456789abd,lazy_itable_init=0'
make mke2fs-ext2 "$e2" "mke2fs -q -t ext2 -b 1024 -I 128 $uuid -d src image 2M"
make mke2fs-ext3 "$e2" "mke2fs -q -t ext3 -b 1024 -J size=1 $uuid -d src image 4M"
make mke2fs-ext4 "$e2" "mke2fs -q -t ext4 -O ^has_journal $uuid -L label -d src image 4M"
make mke2fs-ext4-journal "$e2" "mke2fs -q -t ext4 $uuid -d src image 12M"
make mke2fs-empty "$e2" "mke2fs -q -t ext4 -O ^has_journal -b 1024 $uuid image 1M"
make mke2fs-inline-data "$e2" "mke2fs -q -t ext4 -O ^has_journal,inline_data -I 256 $uuid -d src image 4M"
make mke2fs-bigalloc "$e2" "mke2fs -q -t ext4 -O ^has_journal,bigalloc -C 16384 $uuid -d src image 8M"
make mke2fs-uninit-bg "$e2" "mke2fs -q -t ext4 -O ^has_journal,^metadata_csum,uninit_bg,^64bit -b 1024 $uuid -d src image 20M"
make mke2fs-meta-bg "$e2" "mke2fs -q -t ext4 -O ^has_journal,^resize_inode,meta_bg -b 1024 $uuid -d src image 20M"
make mke2fs-sparse-super2 "$e2" "mke2fs -q -t ext4 -O ^has_journal,^resize_inode,^sparse_super,sparse_super2 -b 1024 $uuid -d src image 20M"
make mke2fs-blocks-64k "$e2" "mke2fs -q -F -t ext4 -O ^has_journal -b 65536 $uuid -d src image 16M"
make mke2fs-quota "$e2" "mke2fs -q -t ext4 -O ^has_journal,quota,project -I 256 $uuid -d src image 4M"
make mke2fs-revision-0 "$e2" "mke2fs -q -r 0 -b 1024 -U 12345678-1234-4234-8234-123456789abc -d plain image 2M"
for form in ext3 ext4; do
  open=jo
  [ $form = ext3 ] || open='jo -c -v 3'
  make debugfs-journal-$form "$e2" "mke2fs -q -t $form -b 1024 -J size=1 $uuid -d src image 6M && head -c 2048 /dev/zero | tr '\\0' x > blocks &&
    printf '%s\n' '$open' 'jw -b 5000,5001 blocks' 'jw -r 5001' 'jw -b 5002,5003 blocks' jc > commands && debugfs -w -f commands image"
done
make e2fsck-htree "$e2" "mke2fs -q -t ext4 -O ^has_journal -b 1024 $uuid -d src image 4M && (e2fsck -fyD image || [ \$? -le 1 ])"
make genext2fs-ext2 "$(genext2fs --version 2>&1 | head -1)" 'genext2fs -b 2048 -N 128 -d plain image'

mf="makefs $(dpkg-query -W -f '${Version}' makefs)"
for order in le be; do
  make makefs-ffs1-$order "$mf" "makefs -T 1700000000 -t ffs -B $order -o version=1 -s 2m image plain"
  make makefs-ffs2-$order "$mf" "makefs -T 1700000000 -t ffs -B $order -o version=2 -s 2m image plain"
done
make makefs-ffs1-4k "$mf" 'makefs -T 1700000000 -t ffs -B le -o version=1,bsize=4096,fsize=512 -s 4m image plain'
make makefs-ffs2-64k "$mf" 'makefs -T 1700000000 -t ffs -B le -o version=2,bsize=65536,fsize=8192 -s 8m image plain'

gc=$(cpio --version | head -1)
for form in newc crc odc bin ustar tar; do
  make cpio-$form "$gc" "cd plain && find . | LC_ALL=C sort | cpio -o -H $form --quiet > ../image"
done
make cpio-swapped "$gc" 'cd plain && find etc many | LC_ALL=C sort | cpio -o -H bin --quiet | dd conv=swab status=none > ../image.swapped && python3 -c "
import struct
a = bytearray(open(\"../image.swapped\", \"rb\").read())
at = 0
while True:
    (magic, dev, ino, mode, uid, gid, nlink, rdev, t1, t0, namesize, high, low) = struct.unpack_from(\">13H\", a, at)
    assert magic == 0o70707
    data = at + 26 + namesize + namesize % 2
    size = high << 16 | low
    end = data + size + size % 2
    for i in range(at + 26, end, 2): a[i], a[i + 1] = a[i + 1], a[i]
    if bytes(a[at + 26 : at + 36]) == b\"TRAILER!!!\": break
    at = end
open(\"../image\", \"wb\").write(a)
"'

bt=$(bsdtar --version)
for form in newc odc pax gnutar ustar; do
  make bsdtar-$form "$bt" "bsdtar --format=$form --numeric-owner -C src -cf image ."
done
make bsdtar-v7 "$bt" 'bsdtar --format=v7tar --numeric-owner -C plain -cf image etc many'

gt=$(tar --version | head -1)
tar='tar --sort=name --numeric-owner -C src'
for form in gnu oldgnu posix; do
  make tar-$form "$gt" "$tar --format=$form -cf image ."
done
for form in ustar v7; do
  make tar-$form "$gt" "$tar --format=$form -cf image etc bin many"
done
for form in gnu oldgnu; do
  make tar-$form-sparse "$gt" "$tar --format=$form -S -cf image ."
done
for version in 0.0 0.1 1.0; do
  make tar-posix-sparse-$version "$gt" "$tar --format=posix -S --sparse-version=$version --xattrs --xattrs-include='*' -cf image ."
done
make tar-many-holes "$gt" "for i in \$(seq 0 39); do printf island-\$i | dd of=holes bs=1 seek=\$((i * 65536)) conv=notrunc status=none; done; truncate -s 5M holes; touch -d @1700000000 holes; tar --numeric-owner --format=gnu -S -cf image holes"
make tar-posix-global "$gt" "$tar --format=posix --pax-option=comment=hello,globexthdr.name=global,uname:=somebody -cf image etc"
