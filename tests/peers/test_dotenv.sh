#!/bin/sh
# The reader of .env files against npm's dotenv, python-dotenv, dash and docker's rule.
# limit: 300
exec /usr/bin/python3 "$(dirname "$0")/dotenv_readers.py"
