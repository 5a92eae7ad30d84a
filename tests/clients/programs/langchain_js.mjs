import { ChatOpenAI } from "@langchain/openai";
import { createAgent, tool } from "langchain";
import { z } from "zod";

const model = new ChatOpenAI({ model: "gpt-oss", configuration: { baseURL: process.env.OPENAI_BASE_URL } });
const question = "What is the capital of Peru?";
const cases = {
  async plain() {
    console.log((await model.invoke(question)).text);
  },
  async stream() {
    for await (const chunk of await model.stream(question)) process.stdout.write(chunk.text);
  },
  async tools() {
    const get_weather = tool(({ city }) => `Sunny in ${city}`, {
      name: "get_weather",
      description: "The weather in a city",
      schema: z.object({ city: z.string() }),
    });
    const agent = createAgent({ model, tools: [get_weather] });
    const state = { messages: [{ role: "user", content: "What is the weather in Oslo?" }] };
    console.log((await agent.invoke(state)).messages.at(-1).text);
  },
  async structured() {
    const schema = z.object({ name: z.string(), age: z.number().int() });
    const dog = await model.withStructuredOutput(schema).invoke("Invent a dog");
    console.log(dog.name, dog.age);
  },
};
await cases[process.argv[2]]();
