package org.tfminilm.demo

import android.app.Activity
import android.app.AlertDialog
import android.content.ActivityNotFoundException
import android.content.Intent
import android.widget.Toast

/** What all screens do: ask, share, and ask for files. */
abstract class AppActivity : Activity() {
    val app: DemoApp get() = application as DemoApp
    private var dialog: AlertDialog? = null

    override fun onDestroy() {
        dialog?.dismiss()
        super.onDestroy()
    }

    fun show(builder: AlertDialog.Builder) {
        dialog?.dismiss()
        dialog = builder.show()
    }

    /** Lets the user choose one of some names. */
    fun choose(title: Int, names: List<String>, chosen: Int, choose: (Int) -> Unit) = show(
        AlertDialog.Builder(this).setTitle(title)
            .setSingleChoiceItems(names.toTypedArray(), chosen) { dialog, at ->
                dialog.dismiss()
                choose(at)
            }
            .setNegativeButton(R.string.cancel, null),
    )

    fun share(text: String) {
        val intent = Intent(Intent.ACTION_SEND).setType("text/plain").putExtra(Intent.EXTRA_TEXT, text)
        startActivity(Intent.createChooser(intent, null))
    }

    /** Asks for a file of one of these types; the answer comes under [code]. */
    fun pick(code: Int, vararg types: String) {
        val intent = Intent(Intent.ACTION_OPEN_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE)
            .setType(types.singleOrNull() ?: "*/*").putExtra(Intent.EXTRA_MIME_TYPES, types)
        try {
            startActivityForResult(intent, code)
        } catch (_: ActivityNotFoundException) {
            Toast.makeText(this, R.string.no_picker, Toast.LENGTH_LONG).show()
        }
    }

    protected companion object {
        /** The extra with a model's name. */
        const val MODEL = "model"

        /** The extra with a field's name. */
        const val FIELD = "field"
    }
}
