package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/sashabaranov/go-openai"
	"github.com/sashabaranov/go-openai/jsonschema"
)

type Dog struct {
	Name string `json:"name"`
	Age  int    `json:"age"`
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func main() {
	config := openai.DefaultConfig("any")
	config.BaseURL = os.Getenv("OPENAI_BASE_URL")
	client := openai.NewClientWithConfig(config)
	ctx := context.Background()
	user := func(text string) openai.ChatCompletionRequest {
		messages := []openai.ChatCompletionMessage{{Role: openai.ChatMessageRoleUser, Content: text}}
		return openai.ChatCompletionRequest{Model: "gpt-oss", Messages: messages}
	}
	chat := func(request openai.ChatCompletionRequest) openai.ChatCompletionMessage {
		return must(client.CreateChatCompletion(ctx, request)).Choices[0].Message
	}
	question := user("What is the capital of Peru?")
	switch os.Args[1] {
	case "plain":
		fmt.Println(chat(question).Content)
	case "stream":
		stream := must(client.CreateChatCompletionStream(ctx, question))
		for {
			chunk, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				break
			}
			fmt.Print(must(chunk, err).Choices[0].Delta.Content)
		}
	case "tools":
		request := user("What is the weather in Oslo?")
		request.Tools = []openai.Tool{{
			Type: openai.ToolTypeFunction,
			Function: &openai.FunctionDefinition{
				Name:        "get_weather",
				Description: "The weather in a city",
				Parameters: jsonschema.Definition{
					Type:       jsonschema.Object,
					Properties: map[string]jsonschema.Definition{"city": {Type: jsonschema.String}},
					Required:   []string{"city"},
				},
			},
		}}
		message := chat(request)
		call := message.ToolCalls[0]
		var arguments struct{ City string }
		if err := json.Unmarshal([]byte(call.Function.Arguments), &arguments); err != nil {
			panic(err)
		}
		result := openai.ChatCompletionMessage{
			Role: openai.ChatMessageRoleTool, Content: "Sunny in " + arguments.City, ToolCallID: call.ID,
		}
		request.Messages = append(request.Messages, message, result)
		fmt.Println(chat(request).Content)
	case "structured":
		request := user("Invent a dog")
		request.ResponseFormat = &openai.ChatCompletionResponseFormat{
			Type: openai.ChatCompletionResponseFormatTypeJSONSchema,
			JSONSchema: &openai.ChatCompletionResponseFormatJSONSchema{
				Name: "dog", Schema: must(jsonschema.GenerateSchemaForType(Dog{})), Strict: true,
			},
		}
		var dog Dog
		if err := json.Unmarshal([]byte(chat(request).Content), &dog); err != nil {
			panic(err)
		}
		fmt.Println(dog.Name, dog.Age)
	case "reasoning":
		fmt.Println(chat(question).ReasoningContent)
	}
}
