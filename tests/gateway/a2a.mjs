// Talks to an A2A server with @a2a-js/sdk: each line of standard input is a call; prints what came of it.
import { createInterface } from "node:readline";
import {
  ClientFactory,
  ClientFactoryOptions,
  DefaultAgentCardResolver,
  JsonRpcTransportFactory,
  RestTransportFactory,
} from "@a2a-js/sdk/client";
import { AgentCard, SendMessageRequest, StreamResponse, Task, verifyAgentCardSignature } from "@a2a-js/sdk";
import { importSPKI } from "jose";

// The SDK's remarks would stand among the answers.
console.debug = console.error;

const [url, token, transport] = process.argv.slice(2);
const fetchImpl = (input, init = {}) => {
  const headers = new Headers(init.headers);
  headers.set("authorization", `Bearer ${token}`);
  return fetch(input, { ...init, headers });
};
const resolver = new DefaultAgentCardResolver();
const factory = new ClientFactory(
  ClientFactoryOptions.createFrom(ClientFactoryOptions.default, {
    transports: [new JsonRpcTransportFactory({ fetchImpl }), new RestTransportFactory({ fetchImpl })],
    preferredTransports: [transport],
    cardResolver: resolver,
  }),
);
const client = await factory.createFromUrl(url);
const shown = (result) => ("status" in result ? { task: Task.toJSON(result) } : { message: result });

const calls = {
  send: async (params) => shown(await client.sendMessage(SendMessageRequest.fromJSON(params))),
  stream: async (params) => {
    const events = [];
    for await (const event of client.sendMessageStream(SendMessageRequest.fromJSON(params)))
      events.push(StreamResponse.toJSON(event));
    return { events };
  },
  get: async ({ id }) => ({ task: Task.toJSON(await client.getTask({ tenant: "", id })) }),
  cancel: async ({ id }) => ({ task: Task.toJSON(await client.cancelTask({ tenant: "", id })) }),
  subscribe: async ({ id }) => {
    const events = [];
    for await (const event of client.resubscribeTask({ tenant: "", id })) events.push(StreamResponse.toJSON(event));
    return { events };
  },
  card: async ({ key }) => {
    const card = await resolver.resolve(url);
    // As JSON: the SDK's check loses the security schemes of a card that it has already parsed.
    const json = AgentCard.toJSON(card);
    return { card: json, signed: key ? await verified(json, key) : null };
  },
};

async function verified(card, pem) {
  try {
    await verifyAgentCardSignature(async () => importSPKI(pem, "ES256"))(card);
    return true;
  } catch (error) {
    return String(error);
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const { call, ...params } = JSON.parse(line);
  let answer;
  try {
    answer = await calls[call](params);
  } catch (error) {
    answer = { failed: { name: error.name, message: error.message } };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
