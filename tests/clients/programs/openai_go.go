package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/responses"
	"github.com/openai/openai-go/v3/shared"
)

var dogSchema = map[string]any{
	"type":                 "object",
	"properties":           map[string]any{"name": map[string]any{"type": "string"}, "age": map[string]any{"type": "integer"}},
	"required":             []string{"name", "age"},
	"additionalProperties": false,
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func main() {
	client := openai.NewClient()
	ctx := context.Background()
	chat := func(params openai.ChatCompletionNewParams) openai.ChatCompletionMessage {
		return must(client.Chat.Completions.New(ctx, params)).Choices[0].Message
	}
	question := openai.ChatCompletionNewParams{
		Model:    "gpt-oss",
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("What is the capital of Peru?")},
	}
	switch os.Args[1] {
	case "plain":
		fmt.Println(chat(question).Content)
	case "stream":
		stream := client.Chat.Completions.NewStreaming(ctx, question)
		for stream.Next() {
			if chunk := stream.Current(); len(chunk.Choices) > 0 {
				fmt.Print(chunk.Choices[0].Delta.Content)
			}
		}
		if stream.Err() != nil {
			panic(stream.Err())
		}
	case "tools":
		params := openai.ChatCompletionNewParams{
			Model:    "gpt-oss",
			Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("What is the weather in Oslo?")},
			Tools: []openai.ChatCompletionToolUnionParam{
				openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{
					Name:        "get_weather",
					Description: openai.String("The weather in a city"),
					Parameters: shared.FunctionParameters{
						"type":       "object",
						"properties": map[string]any{"city": map[string]any{"type": "string"}},
						"required":   []string{"city"},
					},
				}),
			},
		}
		message := chat(params)
		call := message.ToolCalls[0]
		var arguments struct{ City string }
		if err := json.Unmarshal([]byte(call.Function.Arguments), &arguments); err != nil {
			panic(err)
		}
		params.Messages = append(params.Messages, message.ToParam(), openai.ToolMessage("Sunny in "+arguments.City, call.ID))
		fmt.Println(chat(params).Content)
	case "structured":
		message := chat(openai.ChatCompletionNewParams{
			Model:    "gpt-oss",
			Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("Invent a dog")},
			ResponseFormat: openai.ChatCompletionNewParamsResponseFormatUnion{
				OfJSONSchema: &shared.ResponseFormatJSONSchemaParam{
					JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{
						Name: "dog", Schema: dogSchema, Strict: openai.Bool(true),
					},
				},
			},
		})
		var dog struct {
			Name string
			Age  int
		}
		if err := json.Unmarshal([]byte(message.Content), &dog); err != nil {
			panic(err)
		}
		fmt.Println(dog.Name, dog.Age)
	case "reasoning":
		response := must(client.Responses.New(ctx, responses.ResponseNewParams{
			Model:     "gpt-oss",
			Input:     responses.ResponseNewParamsInputUnion{OfString: openai.String("What is the capital of Peru?")},
			Reasoning: shared.ReasoningParam{Summary: "auto"},
		}))
		fmt.Println(response.Output[0].AsReasoning().Summary[0].Text)
	}
}
