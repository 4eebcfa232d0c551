umask 022
mkdir -p tree/a/b tree/c
for n in 1 2 3; do echo $n > tree/a/$n; echo $n > tree/a/b/$n; echo $n > tree/c/$n; done
ln tree/a/1 tree/c/hard; ln -s a tree/link; cp "$(command -v setcap)" . ; mkdir libs
for lib in $(ldd setcap | grep -o '/[^ ]*'); do mkdir -p "libs$(dirname "$lib")"; cp -L "$lib" "libs$lib"; done
