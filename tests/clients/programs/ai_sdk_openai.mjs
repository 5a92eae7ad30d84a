import { openai } from "@ai-sdk/openai";
import { generateText, Output, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const model = openai("gpt-oss");
const prompt = "What is the capital of Peru?";
const cases = {
  async plain() {
    console.log((await generateText({ model, prompt })).text);
  },
  async stream() {
    for await (const text of streamText({ model, prompt }).textStream) process.stdout.write(text);
  },
  async tools() {
    const get_weather = tool({
      description: "The weather in a city",
      inputSchema: z.object({ city: z.string() }),
      execute: async ({ city }) => `Sunny in ${city}`,
    });
    const { text } = await generateText({
      model,
      prompt: "What is the weather in Oslo?",
      tools: { get_weather },
      stopWhen: stepCountIs(5),
    });
    console.log(text);
  },
  async structured() {
    const schema = z.object({ name: z.string(), age: z.number().int() });
    const { output } = await generateText({ model, prompt: "Invent a dog", output: Output.object({ schema }) });
    console.log(output.name, output.age);
  },
  async reasoning() {
    const options = { forceReasoning: true, reasoningEffort: "low", reasoningSummary: "auto" };
    console.log((await generateText({ model, prompt, providerOptions: { openai: options } })).reasoningText);
  },
};
await cases[process.argv[2]]();
