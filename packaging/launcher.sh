#!/bin/sh
# Runs the program of the package under the name that it was called with.
folder=/usr/libexec/mstunnel-setup
exec $folder/lib/LOADER --inhibit-cache --library-path $folder/lib --argv0 $folder/bin/PYTHON \
    $folder/bin/PYTHON -I -S -B $folder/start.py "$0" "$@"
