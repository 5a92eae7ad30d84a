import Anthropic from "@anthropic-ai/sdk";

const client = new Anthropic();
const question = {
  model: "gpt-oss",
  max_tokens: 2000,
  messages: [{ role: "user", content: "What is the capital of Peru?" }],
};
const text = ({ content }) => content.map((block) => block.text ?? "").join("");
const cases = {
  async plain() {
    console.log(text(await client.messages.create(question)));
  },
  async stream() {
    const stream = client.messages.stream(question).on("text", (text) => process.stdout.write(text));
    await stream.finalMessage();
  },
  async tools() {
    const tools = [
      {
        name: "get_weather",
        description: "The weather in a city",
        input_schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
      },
    ];
    const messages = [{ role: "user", content: "What is the weather in Oslo?" }];
    const { content } = await client.messages.create({ ...question, messages, tools });
    const { id, input } = content.find((block) => block.type === "tool_use");
    messages.push(
      { role: "assistant", content },
      { role: "user", content: [{ type: "tool_result", tool_use_id: id, content: `Sunny in ${input.city}` }] },
    );
    console.log(text(await client.messages.create({ ...question, messages, tools })));
  },
  async reasoning() {
    const { content } = await client.messages.create({
      ...question,
      thinking: { type: "enabled", budget_tokens: 1024 },
    });
    console.log(content[0].thinking);
  },
};
await cases[process.argv[2]]();
