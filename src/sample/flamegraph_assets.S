/* The script and the style of the flame graph, as they are. */
	.section .rodata
	.globl flamegraph_css, flamegraph_css_end, flamegraph_js, flamegraph_js_end
flamegraph_css:
	.incbin "flamegraph.css"
flamegraph_css_end:
flamegraph_js:
	.incbin "flamegraph.js"
flamegraph_js_end:
	.section .note.GNU-stack, "", @progbits
