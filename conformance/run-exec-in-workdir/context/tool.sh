#!/bin/sh
echo "$0 $1 $PWD" > seen
