#!/usr/bin/env bash
# Makes the images of other programs that our readers are held to: golden-images/foreign/MAKER-CASE/{image.gz,command.txt}, on Debian
# 12 as root, with e2fsprogs, genext2fs, makefs, cpio, bsdtar, GNU tar, attr, acl, libcap2-bin and loop devices. Run with the names of
# cases it makes only these. The trees in them are written by `FSYNTH_UPDATE=1 npx vitest run test/golden-foreign.test.ts`, which
# compares each with the source first. Cases NAME-metadata have a stat.txt, too, that fsynth has no part in.
set -euo pipefail
export LC_ALL=C TZ=UTC PATH="$PATH:/usr/sbin:/sbin" E2FSPROGS_FAKE_TIME=1700000000
umask 022
top=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'umount -q "$work"/{filled,seen} 2> /dev/null || true; rm -rf --one-file-system "$work"' EXIT
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

# stamped: an owner, a mode, xattrs and above all a time of its own for each entry.
mkdir -p stamped/{empty,group,sticky}
printf 'before 1970\n' > stamped/old
printf 'half a second before\n' > stamped/half
printf 'a billion\n' > stamped/billion
ln stamped/billion stamped/group/same
printf 'after 2038\n' > stamped/late
: > stamped/later
for name in setuid capable listed noted; do printf '%s\n' $name > stamped/$name; done
seq 1 1500 > stamped/large
ln -s noted stamped/link
mknod stamped/device c 10 200
mkfifo stamped/fifo
chown 12:34 stamped/setuid
chown 5:6 stamped/{group,fifo}
chown -h 1:2 stamped/link
chown 70000:65536 stamped/half
chown 4000000001:3000000002 stamped/late
chmod 4751 stamped/setuid
chmod 1777 stamped/sticky
chmod 2770 stamped/group
chmod 6511 stamped/old
chmod 640 stamped/device
chmod 0 stamped/later
setcap cap_net_raw,cap_net_admin+ep stamped/capable
setfattr -n user.note -v value stamped/noted
setfattr -n user.bytes -v 0x00ff0a3d stamped/noted
setfattr -n user.empty stamped/noted
setfattr -n trusted.note -v t stamped/noted
setfattr -h -n trusted.link -v l stamped/link
setfattr -n user.small -v small stamped/large
setfattr -n user.large -v "$(seq 1 200)" stamped/large # more than an inode holds
setfacl -m u:70001:rw,g:70002:r stamped/listed
setfacl -d -m u:70001:rwx,g::r stamped/group
while read -r time name; do touch -h -d "${time}Z" "stamped/$name"; done << 'END'
1901-12-13T20:45:52 link
1960-02-03T04:05:06.123456789 old
1969-12-31T23:59:59.5 half
2001-09-09T01:46:40.000000001 billion
2002-02-02T02:02:02.2 capable
2003-03-03T03:03:03.03 listed
2004-02-29T23:59:59.999999999 noted
2005-05-05T05:05:05.05 group
2006-06-06T06:06:06.123 sticky
2007-07-07T07:07:07.123456 .
2008-08-08T08:08:08 large
2009-02-13T23:31:30 setuid
2038-01-19T03:14:08 device
2040-02-03T04:05:06.987654321 late
2106-02-07T06:28:16.25 empty
2300-01-01T00:00:00.000000009 later
2446-05-10T22:38:55 fifo
END

# manifest FOLDER [TIME]: PATH, st_mode, owner, mtime and what its kind has of every entry, and its xattrs below.
manifest() {
  (
    cd "$1"
    find . -name lost+found -prune -o -printf '%P\n' | sort | while IFS= read -r path; do
      printf '/%s %o ' "$path" "0x$(stat -c %f "./$path")"
      printf '%s' "$(stat -c "%u:%g ${2:-%.9Y}" "./$path")"
      case $(stat -c %F "./$path") in
        directory) echo ;;
        'symbolic link') stat -c " links=%h target=$(readlink "$path")" "$path" ;;
        regular*) stat -c " links=%h size=%s sha256=$(sha256sum < "$path" | cut -d ' ' -f 1)" "$path" ;;
        *special*) stat -c ' links=%h device=%Hr:%Lr' "$path" ;;
        *) stat -c ' links=%h' "$path" ;;
      esac
      getfattr -h -d -m - -e hex "./$path" | sed -n 's/^[^#]/  &/p' | sort
    done
  )
}

# Whose word a stat.txt is: stat's of the folder that went in, or of what another program makes of the image. The latter where a maker
# writes something else than went in, which then stands in comments.
went_in() { manifest stamped; }
no_xattrs() { manifest stamped | sed '/^  /d'; }
whole_seconds() { manifest stamped %Y.000000000 | sed '/^  /d'; } # and no xattrs
mounted() { mkdir -p seen && mount -o loop,ro image seen && manifest seen && umount seen; }
bsdtar_extracted() { rm -rf seen && bsdtar --numeric-owner -s ',^,seen/,S' -xpf image && manifest seen; } # a folder that is there keeps its time
tar_extracted() {
  rm -rf seen && mkdir seen
  tar --numeric-owner --acls --xattrs --xattrs-include='*' --delay-directory-restore --warning=none -xpf image -C seen
  manifest seen
}

stated() {
  "$1" > said
  went_in > given
  echo "# stat and getfattr, $1 in make.sh; not: what went in, and the image has otherwise or lacks"
  { diff given said || [ $? -eq 1 ]; } | sed -nE 's/^<   ([^=]*)=.*/# not   \1/p; s/^< (\/\S* \S+ \S+ \S+).*/# not \1/p'
  cat said
}

# make NAME VERSION COMMAND [WORD]: the command is run in a folder with src (and plain, without xattrs) and stamped; it makes the
# file `image`. WORD is one of the functions above.
make() {
  [ "$wanted" = "  " ] || [[ $wanted == *" $1 "* ]] || return 0
  rm -rf image
  bash -euo pipefail -c "$3" > log 2>&1 || { cat log; echo "$1 failed"; exit 1; }
  mkdir -p "$top/$1"
  gzip -9n < image > "$top/$1/image.gz"
  printf '%s\n\n%s\n' "$2" "$3" > "$top/$1/command.txt"
  [ $# -lt 4 ] || stated "$4" > "$top/$1/stat.txt"
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
small="mke2fs -q -b 1024 -O ^has_journal $uuid"
make mke2fs-ext4-metadata "$e2" "$small -t ext4 -I 256 -d stamped image 512K" mounted
make mke2fs-ext2-metadata "$e2" "$small -t ext2 -I 128 -d stamped image 512K" mounted
make linux-ext4-metadata "Linux $(uname -r | cut -d - -f 1)" "$small -t ext4 -O ea_inode -I 256 image 512K && mkdir -p filled && mount -o loop image filled &&
  cp -a stamped/. filled && for name in noted listed; do setfattr -n user.huge -v \$(seq -s , 400) filled/\$name; done && umount filled" mounted
make e2fsck-htree "$e2" "mke2fs -q -t ext4 -O ^has_journal -b 1024 $uuid -d src image 4M && (e2fsck -fyD image || [ \$? -le 1 ])"
make genext2fs-ext2 "$(genext2fs --version 2>&1 | head -1)" 'genext2fs -b 2048 -N 128 -d plain image'
make genext2fs-ext2-metadata "$(genext2fs --version 2>&1 | head -1)" 'genext2fs -b 512 -N 64 -d stamped image' mounted

mf="makefs $(dpkg-query -W -f '${Version}' makefs)"
for order in le be; do
  make makefs-ffs1-$order "$mf" "makefs -T 1700000000 -t ffs -B $order -o version=1 -s 2m image plain"
  make makefs-ffs2-$order "$mf" "makefs -T 1700000000 -t ffs -B $order -o version=2 -s 2m image plain"
done
make makefs-ffs1-4k "$mf" 'makefs -T 1700000000 -t ffs -B le -o version=1,bsize=4096,fsize=512 -s 4m image plain'
make makefs-ffs2-64k "$mf" 'makefs -T 1700000000 -t ffs -B le -o version=2,bsize=65536,fsize=8192 -s 8m image plain'
# makefs on Linux leaves nanoseconds out. They are put where sys/ufs/ufs/dinode.h has them: di_mode at 0, di_mtime at 40, di_mtimensec at 64.
make makefs-ffs2-le-metadata "$mf" 'makefs -t ffs -B le -o version=2 -s 1m image stamped' whole_seconds
make makefs-ffs2-be-metadata "$mf" 'makefs -t ffs -B be -o version=2 -s 1m image stamped && python3 -c "
import os, struct
image = bytearray(open(\"image\", \"rb\").read())
for path in {os.path.join(folder, name) for folder, folders, files in os.walk(\"stamped\") for name in [\".\", *folders, *files]}:
    stat = os.lstat(path)
    sec, nsec = divmod(stat.st_mtime_ns, 10**9)
    places = [at for at in range(0, len(image), 256) if struct.unpack_from(\">H38xq\", image, at) == (stat.st_mode, sec)]
    assert len(places) == 1, path
    struct.pack_into(\">I\", image, places[0] + 64, nsec)
open(\"image\", \"wb\").write(image)
"' no_xattrs

gc=$(cpio --version | head -1)
for form in newc crc odc bin ustar tar; do
  make cpio-$form "$gc" "cd plain && find . | LC_ALL=C sort | cpio -o -H $form --quiet > ../image"
done
for form in newc odc bin; do
  make cpio-$form-metadata "$gc" "cd stamped && find . | LC_ALL=C sort | cpio -o -H $form --quiet > ../image" bsdtar_extracted
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
make bsdtar-pax-metadata "$bt" 'bsdtar --format=pax --numeric-owner -C stamped -cf image .' tar_extracted
make bsdtar-v7 "$bt" 'bsdtar --format=v7tar --numeric-owner -C plain -cf image etc many'

gt=$(tar --version | head -1)
make tar-posix-metadata "$gt" "tar --sort=name --numeric-owner -C stamped --format=posix --acls --xattrs --xattrs-include='*' -cf image ." went_in
make tar-gnu-metadata "$gt" 'tar --sort=name --numeric-owner -C stamped --format=gnu -cf image .' bsdtar_extracted
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
