import OpenAI from "openai";
import { zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";

const client = new OpenAI();
const model = "gpt-oss";
const input = "What is the capital of Peru?";
const cases = {
  async plain() {
    console.log((await client.responses.create({ model, input })).output_text);
  },
  async stream() {
    for await (const event of client.responses.stream({ model, input }))
      if (event.type === "response.output_text.delta") process.stdout.write(event.delta);
  },
  async tools() {
    const tools = [
      {
        type: "function",
        name: "get_weather",
        description: "The weather in a city",
        parameters: {
          type: "object",
          properties: { city: { type: "string" } },
          required: ["city"],
          additionalProperties: false,
        },
        strict: true,
      },
    ];
    const items = [{ role: "user", content: "What is the weather in Oslo?" }];
    const { output } = await client.responses.create({ model, input: items, tools });
    const call = output.find((item) => item.type === "function_call");
    const result = `Sunny in ${JSON.parse(call.arguments).city}`;
    items.push(...output, { type: "function_call_output", call_id: call.call_id, output: result });
    console.log((await client.responses.create({ model, input: items, tools })).output_text);
  },
  async structured() {
    const format = zodTextFormat(z.object({ name: z.string(), age: z.number().int() }), "dog");
    const response = await client.responses.parse({ model, input: "Invent a dog", text: { format } });
    console.log(response.output_parsed.name, response.output_parsed.age);
  },
  async reasoning() {
    const response = await client.responses.create({ model, input, reasoning: { summary: "auto" } });
    console.log(response.output[0].summary[0].text);
  },
};
await cases[process.argv[2]]();
