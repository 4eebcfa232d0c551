umask 022
mkdir -p d/sub; echo f > f; echo g > d/g; echo h > d/sub/h; ln -s g d/link; chmod 750 d/sub
