/* The style and the script of the HTML report, as they are in the files beside this one. */
	.section .rodata
	.globl html_style, html_style_end, html_script, html_script_end
html_style:
	.incbin "style.css"
html_style_end:
html_script:
	.incbin "script.js"
html_script_end:
	.section .note.GNU-stack, "", @progbits
