package org.tfminilm.demo

import android.content.Context
import android.content.Intent
import android.widget.ProgressBar
import android.widget.TextView
import org.tfminilm.TaskKind
import org.tfminilm.Tokens

/** The pieces in which a model reads a text, with their numbers. */
class TokensActivity : ScreenActivity(R.string.tokens, R.layout.tokens) {
    private val chips: FlowLayout get() = findViewById(R.id.token_chips)
    private var isDone = false

    override fun update() {
        val model = app.catalog[intent.getStringExtra(MODEL)] ?: return finish()
        val text = app.drafts[intent.getStringExtra(FIELD).orEmpty()].orEmpty()
        if (isDone) return
        isDone = true
        app.models.run(model, { isDestroyed }, { pieces(it, text) }) {
            when (it) {
                is Outcome.Failure -> findViewById<TextView>(R.id.tokens_used).text = it.message
                is Outcome.Success -> show(model, it.value)
            }
        }
    }

    private class Pieces(val count: Int, val shown: List<Piece>)

    private class Piece(val text: String, val id: Int)

    private fun pieces(model: OpenModel, text: String): Pieces {
        val tokens = Tokens()
        model.tokenizer.encode(text, tokens)
        val settings = model.choice.manifest.tokenizer
        val shown = (0 until minOf(tokens.size, MAX_SHOWN)).map {
            Piece(clipped(text.substring(tokens.starts[it], tokens.ends[it]), MAX_PIECE), tokens.ids[it])
        }
        val start = Piece(getString(R.string.token_start), settings.cls)
        val end = Piece(getString(R.string.token_end), settings.sep)
        return Pieces(tokens.size + 2, listOf(start) + shown + end)
    }

    private fun show(model: AvailableModel, pieces: Pieces) {
        val longest = model.manifest.signatures.last().length
        val used = minOf(pieces.count, longest)
        findViewById<TextView>(R.id.tokens_used).text = getString(R.string.tokens_used, used, longest)
        val bar: ProgressBar = findViewById(R.id.tokens_bar)
        bar.progress = bar.max * used / longest
        val isCut = pieces.count > longest
        val beyond = if (model.manifest.task == TaskKind.QUESTION_ANSWERING) {
            R.string.tokens_windows
        } else {
            R.string.tokens_cut
        }
        val lines = listOfNotNull(
            if (isCut) getString(beyond, pieces.count) else null,
            if (pieces.count > pieces.shown.size) getString(R.string.tokens_shown, MAX_SHOWN) else null,
        )
        findViewById<TextView>(R.id.tokens_status).text = lines.joinToString("\n")
        showFrom(pieces.shown, 0)
    }

    /** Some at a time, as hundreds would hold up the screen. */
    private fun showFrom(pieces: List<Piece>, start: Int) {
        if (isDestroyed) return
        val end = minOf(start + AT_ONCE, pieces.size)
        for (piece in pieces.subList(start, end)) {
            val chip = layoutInflater.inflate(R.layout.token, chips, false)
            chip.findViewById<TextView>(R.id.token_piece).text = piece.text
            chip.findViewById<TextView>(R.id.token_id).text = piece.id.toString()
            chip.contentDescription = getString(R.string.token_said, piece.text, piece.id)
            chips.addView(chip)
        }
        if (end < pieces.size) chips.post { showFrom(pieces, end) }
    }

    companion object {
        private const val MAX_SHOWN = 300
        private const val MAX_PIECE = 40
        private const val AT_ONCE = 30

        fun intent(context: Context, model: AvailableModel, field: String): Intent =
            Intent(context, TokensActivity::class.java).putExtra(MODEL, model.name).putExtra(FIELD, field)
    }
}
