// npm's dotenv for tests/peers/dotenv_readers.py: a line of base64 in, a line of JSON (name: value) out.
import { createInterface } from 'node:readline'
import dotenv from 'dotenv'

for await (const line of createInterface({ input: process.stdin }))
  console.log(JSON.stringify(dotenv.parse(Buffer.from(line, 'base64'))))
