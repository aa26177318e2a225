/* The agent, as bytes. */
	.section .rodata
	.globl agent_blob_start, agent_blob_end
	.balign 16
agent_blob_start:
	.incbin "agent.bin"
agent_blob_end:
	.section .note.GNU-stack, "", @progbits
