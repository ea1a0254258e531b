/** One end of a channel as a process: `channel-end DIR BUILD`, told over IPC what to send and what has arrived. */
import { type Build, load } from "../host/index.ts";

const [directory, build] = process.argv.slice(2);
const channel = await (await load(directory!, { build: build as Build })).channel({ learn: 8 });
process.on("message", async ({ send, receive }: { send?: string; receive?: Uint8Array }) => {
  try {
    process.send!(
      send !== undefined ? { packet: await channel.send(send) } : { text: (await channel.receive(receive!)).text },
    );
  } catch (error) {
    process.send!({ code: (error as { code?: string }).code ?? String(error) });
  }
});
