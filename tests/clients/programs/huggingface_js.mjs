import { InferenceClient } from "@huggingface/inference";

const client = new InferenceClient("any", { endpointUrl: process.env.OPENAI_BASE_URL });
const model = "gpt-oss";
const messages = [{ role: "user", content: "What is the capital of Peru?" }];
const cases = {
  async plain() {
    console.log((await client.chatCompletion({ model, messages })).choices[0].message.content);
  },
  async stream() {
    for await (const chunk of client.chatCompletionStream({ model, messages }))
      process.stdout.write(chunk.choices[0]?.delta?.content ?? "");
  },
  async tools() {
    const tools = [
      {
        type: "function",
        function: {
          name: "get_weather",
          description: "The weather in a city",
          parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
        },
      },
    ];
    const messages = [{ role: "user", content: "What is the weather in Oslo?" }];
    const { message } = (await client.chatCompletion({ model, messages, tools })).choices[0];
    const [call] = message.tool_calls;
    const content = `Sunny in ${JSON.parse(call.function.arguments).city}`;
    messages.push(message, { role: "tool", tool_call_id: call.id, content });
    console.log((await client.chatCompletion({ model, messages, tools })).choices[0].message.content);
  },
  async structured() {
    const schema = {
      type: "object",
      properties: { name: { type: "string" }, age: { type: "integer" } },
      required: ["name", "age"],
    };
    const { choices } = await client.chatCompletion({
      model,
      messages: [{ role: "user", content: "Invent a dog" }],
      response_format: { type: "json_schema", json_schema: { name: "dog", schema, strict: true } },
    });
    const dog = JSON.parse(choices[0].message.content);
    console.log(dog.name, dog.age);
  },
  async reasoning() {
    console.log((await client.chatCompletion({ model, messages })).choices[0].message.reasoning);
  },
};
await cases[process.argv[2]]();
