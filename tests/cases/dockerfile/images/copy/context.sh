# Everything that a COPY may meet.
umask 022
mkdir -p d/sub/deep d/empty modes links parents/a/b parents/a/c wild tree/x/y
echo a > a; echo b > b; echo c > c.txt; echo e > e.txt
echo 1 > d/one; echo 2 > d/sub/two; echo 3 > d/sub/deep/three; chmod 700 d/sub; chmod 1777 d/empty
ln -s one d/link; ln -s /absolute d/sub/absolute; ln -s nowhere d/dangling; ln -s sub d/to-sub
echo s > modes/setuid; chmod 4755 modes/setuid; echo g > modes/setgid; chmod 2711 modes/setgid
echo r > modes/readonly; chmod 400 modes/readonly; echo x > modes/exec; chmod 777 modes/exec
chmod 750 modes; chown -R 12:34 modes
echo hard > links/first; ln links/first links/second; mkdir links/in; ln links/first links/in/third
ln -s ../a links/to-a; ln -s ../d links/to-d
setcap cap_net_raw=ep modes/exec
setfattr -n user.test -v value modes/exec 2>/dev/null ||
    python3 -c 'import os; os.setxattr("modes/exec", "user.test", b"value")'
mkfifo d/fifo
echo p > parents/a/b/p; echo q > parents/a/c/q; echo r > parents/r
for n in x1.go x2.go x10.go y1.go .hidden.go x1.txt; do echo "$n" > "wild/$n"; done
mkdir wild/dir.go; echo in > wild/dir.go/in
echo u > 'tree/ümlaut'; echo s > 'tree/a b'; echo n > "$(printf 'tree/latin\377')"
echo nl > "$(printf 'tree/new\nline')"; echo q > "tree/quo'te"
long=$(printf 'n%.0s' $(seq 240)); echo l > "tree/$long"
path=tree; for i in $(seq 12); do path=$path/$(printf "d%.0s" $(seq 60)); done
mkdir -p "$path"; echo deep > "$path/file"
echo t > tree/x/y/t
printf 'ignored\n*.log\n!keep.log\nnest/*\n!nest/kept\n**/cache\n' > .dockerignore
mkdir -p ig nest/kept nest/gone ig/cache ig/sub/cache
echo 1 > ignored; echo 2 > a.log; echo 3 > keep.log; echo 4 > ig/x.log; echo 5 > ig/f
echo 6 > nest/kept/f; echo 7 > nest/gone/f; echo 8 > ig/cache/f; echo 9 > ig/sub/cache/f
