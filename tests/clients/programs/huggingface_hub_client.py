import json
import os
import sys

from huggingface_hub import InferenceClient

DOG = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
}
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
ask = InferenceClient(base_url=os.environ["OPENAI_BASE_URL"], api_key="any").chat_completion
question = [{"role": "user", "content": "What is the capital of Peru?"}]

match sys.argv[1]:
    case "plain":
        print(ask(question, model="gpt-oss").choices[0].message.content)
    case "stream":
        for chunk in ask(question, model="gpt-oss", stream=True):
            print(chunk.choices[0].delta.content or "", end="")
    case "tools":
        messages = [{"role": "user", "content": "What is the weather in Oslo?"}]
        message = ask(messages, model="gpt-oss", tools=[TOOL], tool_choice="auto").choices[0].message
        call = message.tool_calls[0]
        result = f"Sunny in {json.loads(call.function.arguments)['city']}"
        messages += [message, {"role": "tool", "tool_call_id": call.id, "content": result}]
        print(ask(messages, model="gpt-oss", tools=[TOOL]).choices[0].message.content)
    case "structured":
        schema = {"name": "dog", "schema": DOG, "strict": True}
        answer = ask(
            [{"role": "user", "content": "Invent a dog"}],
            model="gpt-oss",
            response_format={"type": "json_schema", "json_schema": schema},
        )
        dog = json.loads(answer.choices[0].message.content)
        print(dog["name"], dog["age"])
    case "reasoning":
        print(ask(question, model="gpt-oss").choices[0].message.reasoning)
