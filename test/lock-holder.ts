/** `node holder.mjs DIR [MS]`: holds the lock until standard input ends, or so long, and tells when, in nanoseconds. */
import { writeSync } from "node:fs";
import { lockStatistics } from "../host/files/lock-node.ts";

const [directory, milliseconds] = [process.argv[2]!, process.argv[3]];
const tell = (what: string) => writeSync(1, `${what} ${process.hrtime.bigint()}\n`);
const lock = await lockStatistics(directory);
tell("held");
if (milliseconds === undefined) for await (const _ of process.stdin);
else await new Promise((resolve) => setTimeout(resolve, Number(milliseconds)));
tell("released");
lock.release();
