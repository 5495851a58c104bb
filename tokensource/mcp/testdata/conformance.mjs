// Runs the conformance suite of the Model Context Protocol.
import '@modelcontextprotocol/conformance/dist/index.js';
