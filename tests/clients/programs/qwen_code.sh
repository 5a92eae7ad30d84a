export OPENAI_MODEL=gpt-oss
mkdir -p work && cd work || exit 1
qwen="../node_modules/.bin/qwen --auth-type openai --yolo"
case $1 in
plain | stream)
    $qwen --prompt "What is the capital of Peru?" ;;
tools)
    $qwen --prompt "What is the weather in Oslo?" ;;
esac
