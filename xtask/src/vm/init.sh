#!/bin/busybox sh
# The first program of a guest: it mounts what the tests need, runs them and turns the guest off.
# Lines that start with "vm " are for the host.
/bin/busybox --install -s /bin 2>/dev/null
export PATH=/bin HOOKSENSOR=/bin/hooksensor HOOKSENSOR_PATIENCE=6
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev 2>/dev/null
mount -t bpf bpf /sys/fs/bpf
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /run
for module in /modules/*; do insmod "$module"; done
ip link set lo up
echo "vm release $(uname -r)"

hooksensor doctor --output json >/tmp/doctor
echo "vm findings $(tr -d '\n' </tmp/doctor)"
while IFS=: read -r binary filter; do
    $binary $filter --test-threads=2 </dev/null 2>&1
    echo "vm $binary $?"
done </tests
echo "vm done"
poweroff -f
