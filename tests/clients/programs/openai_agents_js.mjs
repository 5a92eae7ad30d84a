import { Agent, run, setTracingDisabled, tool } from "@openai/agents";
import { z } from "zod";

setTracingDisabled(true);
const model = "gpt-oss";
const agent = new Agent({ name: "Assistant", model });
const question = "What is the capital of Peru?";
const cases = {
  async plain() {
    console.log((await run(agent, question)).finalOutput);
  },
  async stream() {
    const result = await run(agent, question, { stream: true });
    for await (const text of result.toTextStream()) process.stdout.write(text);
  },
  async tools() {
    const get_weather = tool({
      name: "get_weather",
      description: "The weather in a city",
      parameters: z.object({ city: z.string() }),
      execute: async ({ city }) => `Sunny in ${city}`,
    });
    const agent = new Agent({ name: "Assistant", model, tools: [get_weather] });
    console.log((await run(agent, "What is the weather in Oslo?")).finalOutput);
  },
  async structured() {
    const outputType = z.object({ name: z.string(), age: z.number().int() });
    const { finalOutput } = await run(new Agent({ name: "Assistant", model, outputType }), "Invent a dog");
    console.log(finalOutput.name, finalOutput.age);
  },
  async reasoning() {
    const modelSettings = { reasoning: { effort: "low", summary: "auto" } };
    const { newItems } = await run(new Agent({ name: "Assistant", model, modelSettings }), question);
    console.log(newItems[0].rawItem.content[0].text);
  },
};
await cases[process.argv[2]]();
