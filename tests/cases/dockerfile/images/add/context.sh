umask 022
mkdir -p t/sub t/links plain
echo 1 > t/one; echo 2 > t/sub/two; chmod 4750 t/one; chmod 700 t/sub; ln t/one t/links/hard
ln -s ../one t/links/soft; ln -s /abs t/links/abs; mkfifo t/fifo
setcap cap_net_raw=ep t/sub/two
chown -R 12:34 t/sub; chown 5:6 t/links/soft
chmod 711 t
tar -C t -cf all.tar .            # its first entry is ./, 0711
tar -C t -czf all.tar.gz .
tar -C t -cjf all.tar.bz2 .
tar -C t -cJf all.tar.xz one sub links
tar -C t -cf named.bin one sub    # it is what it holds that counts
tar -C t --xattrs --xattrs-include='*' -cf xattrs.tar sub/two
echo no archive > fake.tar; gzip -c fake.tar > fake.gz; : > empty.tar
tar -C t -czf nodirs.tar.gz sub/two links/soft
tar -C t --format=gnu -cf gnu.tar one sub; tar -C t --format=v7 -cf v7.tar one links/hard
long=$(printf 'n%.0s' $(seq 120)); mkdir -p "l/$long/$long"; echo l > "l/$long/$long/$long"
tar -C l --format=gnu -cf long-gnu.tar .; tar -C l --format=pax -cf long-pax.tar .
mkdir device; mknod device/null c 1 3; mknod device/disk b 8 1; tar -C device -cf devices.tar .
mkdir over; echo new > over/file; mkdir over/sub; echo new > over/sub/file; chmod 700 over/sub
tar -C over -cf over.tar .
cp all.tar plain/; echo f > plain/f
mkdir odd; echo u > 'odd/ümlaut'; echo n > "$(printf 'odd/latin\377')"; tar -C odd -cf odd.tar .
mkdir twice; echo first > twice/f; tar -C twice -cf twice.tar f
echo second > twice/f; tar -C twice -rf twice.tar f
