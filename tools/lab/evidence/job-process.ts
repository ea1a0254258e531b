/** One job in a process of its own: the job as JSON on standard input, its result as JSON on standard output. */
import { text } from "node:stream/consumers";
import { loadData } from "./data.ts";
import type { Job } from "./job.ts";
import { systemOf } from "./systems.ts";

const job: Job = JSON.parse(await text(process.stdin));
const result = await systemOf(job.system).run(job, await loadData(job.budget));
process.stdout.write(JSON.stringify(result));
