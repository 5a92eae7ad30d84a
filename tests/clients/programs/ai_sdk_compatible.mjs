import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, Output, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const provider = createOpenAICompatible({
  name: "llm",
  baseURL: process.env.OPENAI_BASE_URL,
  apiKey: "any",
  includeUsage: true,
  supportsStructuredOutputs: true,
});
const model = provider("gpt-oss");
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
    console.log((await generateText({ model, prompt })).reasoningText);
  },
};
await cases[process.argv[2]]();
