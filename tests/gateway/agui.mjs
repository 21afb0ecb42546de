// Holds a conversation with @ag-ui/client: each line of standard input is a message or {"resume": …}; prints what came of it.
import { createInterface } from "node:readline";
import { HttpAgent } from "@ag-ui/client";

const [url, token, threadId] = process.argv.slice(2);
const agent = new HttpAgent({ url, threadId, headers: { Authorization: `Bearer ${token}` } });

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  if (asked.text) agent.addMessage({ id: crypto.randomUUID(), role: "user", content: asked.text });
  const events = [];
  let failed = null;
  let outcome = null;
  try {
    await agent.runAgent(
      { runId: asked.runId ?? crypto.randomUUID(), resume: asked.resume },
      {
        onEvent: ({ event }) => {
          events.push(event.type);
          if (event.type === "RUN_FINISHED") outcome = event.outcome;
        },
        onRunErrorEvent: ({ event }) => {
          failed = { message: event.message, code: event.code };
        },
      },
    );
  } catch (error) {
    failed ??= { message: String(error) };
  }
  process.stdout.write(JSON.stringify({ events, failed, outcome, messages: agent.messages }) + "\n");
}
