// Runs checks with one official client over one transport. Arguments: URL, package of the client, transports.
// Reads lines `["name", given]`; answers each with `[null]`, or with [what went wrong].
import { createInterface } from "node:readline";
import * as checks from "./checks.mjs";
import { Phones } from "./phones.mjs";

const CHECK_MS = 10_000;
const [url, client, transports] = process.argv.slice(2);
const { io } = await import(client);

let fail; // the check that runs, also from what it left on an emitter

async function problemOf(check, given) {
  const phones = new Phones(io, url, transports.split(","));
  const failed = new Promise((_, reject) => (fail = reject));
  const bell = setTimeout(() => fail(new Error(`waited in vain for ${phones.awaited}`)), CHECK_MS);
  try {
    await Promise.race([check(phones, given), failed]);
    return null;
  } catch (error) {
    return error.stack;
  } finally {
    clearTimeout(bell);
    phones.close();
  }
}

process.on("uncaughtException", (error) => fail(error));
for await (const line of createInterface({ input: process.stdin })) {
  const [name, given] = JSON.parse(line);
  const answer = name === "names" ? Object.keys(checks) : [await problemOf(checks[name], given)];
  console.log(JSON.stringify(answer));
}
process.exit(0);
