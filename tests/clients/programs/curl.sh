ask() {
    curl --silent --show-error --fail "$OPENAI_BASE_URL/$1" \
        --header "Authorization: Bearer $OPENAI_API_KEY" --json "$2"
}
question='"messages": [{"role": "user", "content": "What is the capital of Peru?"}]'
case $1 in
plain)
    ask chat/completions "{\"model\": \"gpt-oss\", $question}" ;;
stream)
    ask chat/completions "{\"model\": \"gpt-oss\", \"stream\": true, $question}" |
        sed -n 's/.*"content":"\([^"]*\)".*/\1/p' | tr -d '\n' ;;
reasoning)
    ask responses '{"model": "gpt-oss", "input": "What is the capital of Peru?"}' ;;
esac
