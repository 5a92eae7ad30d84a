import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";

const client = new OpenAI();
const model = "gpt-oss";
const messages = [{ role: "user", content: "What is the capital of Peru?" }];
const cases = {
  async plain() {
    console.log((await client.chat.completions.create({ model, messages })).choices[0].message.content);
  },
  async stream() {
    for await (const chunk of await client.chat.completions.create({ model, messages, stream: true }))
      process.stdout.write(chunk.choices[0]?.delta?.content ?? "");
  },
  async tools() {
    const runner = client.chat.completions.runTools({
      model,
      messages: [{ role: "user", content: "What is the weather in Oslo?" }],
      tools: [
        {
          type: "function",
          function: {
            name: "get_weather",
            description: "The weather in a city",
            parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
            parse: JSON.parse,
            function: ({ city }) => `Sunny in ${city}`,
          },
        },
      ],
    });
    console.log(await runner.finalContent());
  },
  async structured() {
    const completion = await client.chat.completions.parse({
      model,
      messages: [{ role: "user", content: "Invent a dog" }],
      response_format: zodResponseFormat(z.object({ name: z.string(), age: z.number().int() }), "dog"),
    });
    const dog = completion.choices[0].message.parsed;
    console.log(dog.name, dog.age);
  },
  async reasoning() {
    console.log((await client.chat.completions.create({ model, messages })).choices[0].message.reasoning);
  },
};
await cases[process.argv[2]]();
